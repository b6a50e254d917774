"""Faults of each kind through the whole cluster: to RolledBack, with the cause in status; and one that comes later."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from local.cluster import api as clusters
from tests.support import exports
from tests.support import lab as labs
from tests.zoo import building, catalogue
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

HEALTHY = "dense-signals"
SAMPLES = {
    "dense-traced-example": ("IdenticalOutputs", "InputDisconnected"),
    "conv-bgr": ("GoldenMismatch", "ChannelOrder"),
    "tabular-feature-order": ("GoldenMismatch", "FeatureOrder"),
    "text-ids-shifted": ("GoldenMismatch", "TokenIdsShifted"),
    "dense-dropout": ("UnstableOutputs", "DropoutActive"),
    "dense-nan-for-some": ("NonFiniteOutputs", "NotANumber"),
    "dense-index-missing": ("PredictionFailed", "VariablesMissing"),
}
"""Of each kind in the zoo: the same answer for all, other answers than training's, no numbers, not steady, not there."""


GROUPS = {
    "same": ["dense-traced-example", "conv-bgr", "tabular-feature-order"],
    "other": ["text-ids-shifted", "dense-dropout", "dense-nan-for-some", "dense-index-missing"],
}
"""As many at a time as a node of two CPUs has room for."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each faulty model as version 2 behind a healthy version 1."""
    folder = tmp_path_factory.mktemp("zoo")
    chosen = catalogue.chosen([HEALTHY, *SAMPLES])
    building.build_all(chosen, 1)
    places = {entry.name: building.place(entry, 1) for entry in chosen}
    for name in SAMPLES:
        shutil.copytree(_version(places[HEALTHY]), folder / name / "1")
        shutil.copytree(_version(places[name]), folder / name / "2")
        shutil.copy(places[name] / building.SPECIMEN, folder / f"{name}.json")
    shutil.copy(places[HEALTHY] / building.SPECIMEN, folder / f"{HEALTHY}.json")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _version(place: Path) -> Path:
    return next(path.parent for path in sorted(place.rglob("saved_model.pb")))


def _resource(running: labs.Lab, namespace: str, name: str, version: int, cases: str) -> dict[str, Any]:
    resource = running.resource(namespace, version)
    resource["metadata"]["name"] = name
    resource["spec"]["model"] = {"name": name, "uri": f"pvc://{labs.CLAIM}/{name}", "version": version}
    source = {"configMap": {"name": f"{cases}-goldens", "key": "cases.json"}}
    resource["spec"]["smoke"] = {"casesFrom": [source], "repeatSeconds": 0}
    return resource


def _goldens(namespace: str, models: Path, name: str) -> dict[str, Any]:
    metadata = {
        "name": f"{name}-goldens",
        "namespace": namespace,
        "labels": {constants.LABEL_SMOKE_CASES: "true"},
    }
    data = {"cases.json": (models / f"{name}.json").read_text()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.parametrize("group", GROUPS)
def test_each_kind_of_fault_is_rolled_back_with_its_cause_in_status(
    running: labs.Lab, models: Path, group: str
):
    namespace, names = f"e2e-causes-{group}", GROUPS[group]
    running.make_namespace(namespace, folder=models)
    running.apply(*(_goldens(namespace, models, name) for name in (HEALTHY, *names)))
    for name in names:
        running.apply(_resource(running, namespace, name, 1, HEALTHY))
    for name in names:
        running.wait_condition(namespace, "Ready", "RevisionReady", name=name, seconds=240)
    before = {name: running.status(namespace, name)["activeRevision"]["name"] for name in names}
    for name in names:
        running.apply(_resource(running, namespace, name, 2, name))
    for name in names:
        running.wait_condition(namespace, "Stalled", "RolledBack", name=name, seconds=240)
        status = running.status(namespace, name)
        rejected = status["rejectedRevisions"][0]
        found = (rejected["version"], rejected["reason"], rejected["cause"])
        assert found == (2, *SAMPLES[name]), rejected
        assert status["phase"] == "RolledBack"
        assert status["activeRevision"]["name"] == before[name]
        assert rejected["message"]
    running.delete_namespaces([namespace])


_SEND = """
import sys, requests
for _ in range(int(sys.argv[2])):
    requests.post(sys.argv[1], json={"instances": [[1.0, 2.0]]}, timeout=30)
"""


def test_a_model_that_drifts_after_promotion_is_taken_back(running: labs.Lab, tmp_path_factory):
    namespace = "e2e-drift"
    exported = exports.cached("e2e-drift", Path(__file__).with_name("export_drift.py"))
    folder = tmp_path_factory.mktemp("drift")
    shutil.copytree(exported / "linear", folder / "linear")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    running.make_namespace(namespace, folder=folder)
    rows = {f"row-{i}": [float(i), 1.0] for i in range(3)}
    cases = [
        {"name": n, "instances": [[a, b]], "expect": {"outputs": {"y": [[a + 0.5 * b, -2 * a + b]]}}}
        for n, (a, b) in rows.items()
    ]
    for version in (1, 2):
        resource = running.resource(namespace, version)
        resource["spec"]["model"] = {
            "name": "linear",
            "uri": f"pvc://{labs.CLAIM}/linear",
            "version": version,
        }
        resource["spec"]["smoke"] = {
            "cases": cases,
            "repeatSeconds": 2,
            "load": {"requests": 16, "concurrency": 2},
        }
        running.apply(resource)
        running.wait_condition(namespace, "Ready", "RevisionReady")
    first = running.status(namespace)["previousRevision"] or {}
    service = running.get("service", namespace)["spec"]
    url = f"http://{service['clusterIP']}:{constants.PORT_REST}/v1/models/linear:predict"
    clusters.run(running.cluster, [sys.executable, "-c", _SEND, url, "700"], capture_output=True, timeout=120)
    running.wait_condition(namespace, "Stalled", "RolledBack")
    status = running.status(namespace)
    assert status["activeRevision"]["version"] == 1, json.dumps(status)
    assert status["rejectedRevisions"][0]["reason"] == "GoldenMismatch"
    assert "pod" in status["rejectedRevisions"][0]["message"], first
    assert running.selected(namespace) == status["activeRevision"]["name"]
