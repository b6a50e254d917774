"""``make demo`` from end to end: on a throwaway cluster, and on one that is already there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cluster import api as clusters
from local.cluster import layout, lifecycle
from local.demo import access, existing, installation, steps
from local.progress import Progress

NAME = "demotest"
REPORT = installation.checkout() / "build" / "demo" / "report.json"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[clusters.Cluster]:
    yield clusters.ensure_up(NAME)
    lifecycle.down(layout.selected(NAME), Progress(name="tests"), purge=True)


def run_demo(prefix: list[str], environment: dict[str, str]) -> tuple[dict, str]:
    REPORT.unlink(missing_ok=True)
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "local.demo"],
        cwd=installation.checkout(),
        env=environment | {"CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return json.loads(REPORT.read_text()), said


def assert_promises_hold(report: dict) -> None:
    found = [(step["version"], step["outcome"], step["reason"]) for step in report["steps"]]
    assert found == [(step.version, step.outcome, step.reason) for step in steps.STEPS]
    client = report["client"]
    assert (client["failed"], client["wrongVersion"]) == (0, 0)
    assert client["sent"] >= 5000
    assert client["maxInFlight"] >= 20


def left_in(cluster: clusters.Cluster) -> str:
    kinds = "namespaces,persistentvolumes,customresourcedefinitions"
    return access.of_local(cluster).kubectl("get", kinds, "-o", "name")


def test_the_demo_keeps_its_promises_and_cleans_up_in_a_cluster_that_was_up_before(cluster):
    report, _ = run_demo([], dict(os.environ) | {layout.NAME_VARIABLE: NAME})
    assert_promises_hold(report)
    flips = {step["version"]: step["flipSeconds"] for step in report["steps"]}
    assert flips.pop(5) < 1
    assert set(flips.values()) == {None}
    assert not [name for name in left_in(cluster).split() if "tfserving" in name]


@pytest.fixture
def default_storage_class(cluster, tmp_path_factory) -> None:
    """One volume of a class that is the default, as an existing cluster has it."""
    folder: Path = tmp_path_factory.mktemp("volume")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o777)
    name = {"name": "demotest"}
    is_default = {"storageclass.kubernetes.io/is-default-class": "true"}
    access.of_local(cluster).apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": name | {"annotations": is_default},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": name,
            "spec": {
                "capacity": {"storage": "2Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "demotest",
                "hostPath": {"path": str(folder), "type": "Directory"},
            },
        },
    )


@pytest.mark.usefixtures("default_storage_class")
def test_the_demo_runs_in_an_existing_cluster_by_its_context(cluster):
    operator, server = installation.operator_build(), installation.server_build()
    installation.load_images(cluster, Progress(name="tests"), operator, server)
    reached = access.of_local(cluster)
    variables = {
        "CONTEXT": reached.kubectl("config", "current-context").strip(),
        "IMAGE": server.name,
        "OPERATOR_IMAGE": operator.name,
    }
    prefix = list(clusters.command(cluster, []))
    report, said = run_demo(prefix, clusters.environment(cluster) | variables)
    assert_promises_hold(report)
    assert all("flipSeconds" not in step for step in report["steps"])
    assert "audit log of this cluster cannot be read" in said
    assert not [name for name in left_in(cluster).split() if name.startswith("namespace/tfserving")]


def test_a_context_that_is_not_there_is_named():
    with pytest.raises(Exception, match="context no-such-context does not answer"):
        existing.reach("no-such-context")
