"""Tools that teams bring: server-side apply by two managers, diff, scale, an autoscaler, kustomize, and waiting."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cluster import api as clusters
from local.demo import manifests
from tests.support import lab as labs
from tests.support import specs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-tools"
GIT = ("--server-side", "--field-manager=git")
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": labs.NAME, "namespace": NAMESPACE},
    "spec": {
        "scaleTargetRef": {
            "apiVersion": constants.API_VERSION,
            "kind": constants.KIND,
            "name": labs.NAME,
        },
        "minReplicas": 2,
        "maxReplicas": 3,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def tools(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> "Tools":
    lab.make_namespace(NAMESPACE)
    return Tools(lab, tmp_path_factory.mktemp("tools"))


class Tools:
    """What a person or a pipeline runs, by exit code."""

    def __init__(self, lab: labs.Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder

    def kubectl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run kubectl and let it fail."""
        command = [*self.lab.access.kubectl_argv(), *arguments]
        return subprocess.run(
            command, env=self.lab.access.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def wait(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run our own `wait`, with a kubeconfig."""
        command = [sys.executable, "-m", "tfserving_operator", "wait", labs.NAME, "-n", NAMESPACE, *arguments]
        return self.lab.in_network(*command, check=False, timeout=300)

    def write(self, made: Any) -> str:
        """Write a manifest, as Git holds it, and return its path."""
        path = self.folder / "digits.yaml"
        path.write_text(yaml.safe_dump(made, sort_keys=False))
        return str(path)

    def written(self, version: int, *, paused: bool = False, **spec: Any) -> str:
        """Write the ModelDeployment, without replicas unless they are given, and return its path."""
        made = self.lab.resource(NAMESPACE, version, **spec)
        made["spec"]["rollout"] |= {"progressDeadlineSeconds": 240, "paused": paused}
        return self.write(made)

    def fields_of(self, manager: str) -> dict[str, Any]:
        """The fields of the spec that are a manager's."""
        said = self.kubectl(
            "get", labs.RESOURCE, labs.NAME, "-n", NAMESPACE, "-o", "json", "--show-managed-fields"
        )
        managed = {m["manager"]: m for m in json.loads(said.stdout)["metadata"]["managedFields"]}
        return dict(managed[manager]["fieldsV1"]["f:spec"])

    def replicas(self) -> int:
        """Those that the spec asks for."""
        return int(self.lab.get(labs.RESOURCE, NAMESPACE)["spec"]["replicas"])


def test_waiting_ends_with_0_when_the_model_is_proven(running: labs.Lab, tools: Tools):
    applied = tools.kubectl("apply", *GIT, "-f", tools.written(1))
    assert applied.returncode == 0, applied.stderr
    done = tools.wait("--timeout", "4m")
    assert (done.returncode, done.stdout) == (
        0,
        f"{NAMESPACE}/{labs.NAME}: Ready: version 1 serves, proven\n",
    )
    assert "Baking" in done.stderr
    waited = tools.kubectl(
        "wait", "--for=condition=Ready", f"tfmd/{labs.NAME}", "-n", NAMESPACE, "--timeout=30s"
    )
    assert waited.returncode == 0, waited.stderr


def test_a_diff_after_an_apply_is_empty(running: labs.Lab, tools: Tools):
    same = tools.kubectl("diff", *GIT, "-f", tools.written(1))
    assert (same.returncode, same.stdout) == (0, "")
    other = tools.kubectl("diff", *GIT, "-f", tools.written(6))
    assert other.returncode == 1
    assert "+    version: 6" in other.stdout


def test_a_diff_after_a_plain_apply_is_empty_whatever_defaults_came_in(running: labs.Lab, tools: Tools):
    minimal = specs.load_example("minimal")
    minimal["metadata"] = {"name": "still", "namespace": NAMESPACE}
    minimal["spec"]["replicas"] = 0
    path = tools.write(minimal)
    assert tools.kubectl("apply", "-f", path).returncode == 0
    running.wait_condition(NAMESPACE, "Ready", "ScaledToZero", name="still")
    same = tools.kubectl("diff", "-f", path)
    assert (same.returncode, same.stdout) == (0, "")
    again = tools.kubectl("apply", "-f", path)
    assert again.stdout.strip().endswith("unchanged")


def test_an_autoscaler_owns_the_replicas_that_git_leaves_out(running: labs.Lab, tools: Tools):
    running.apply(SCALER)
    labs.wait_for("the autoscaler's replicas", lambda: tools.replicas() == 2, seconds=120)
    labs.wait_for("two pods", lambda: running.status(NAMESPACE).get("readyReplicas") == 2, seconds=120)
    assert "f:replicas" not in tools.fields_of("git")
    again = tools.kubectl("apply", *GIT, "-f", tools.written(1))
    assert again.returncode == 0, again.stderr
    assert tools.replicas() == 2
    assert tools.kubectl("diff", *GIT, "-f", tools.written(1)).returncode == 0


def test_the_autoscaler_reads_scale_and_a_selector_of_the_serving_pods(running: labs.Lab, tools: Tools):
    def conditions() -> dict[str, dict[str, Any]]:
        found = running.get("hpa", NAMESPACE).get("status", {}).get("conditions", ())
        return {c["type"]: c for c in found}

    # Nobody serves metrics here: that it asks for them shows that it took the selector
    labs.wait_for(
        "the autoscaler's look at the metrics",
        lambda: conditions().get("ScalingActive", {}).get("reason") == "FailedGetResourceMetric",
        seconds=120,
    )
    assert conditions()["AbleToScale"]["status"] == "True"
    scale = json.loads(
        tools.kubectl(
            "get",
            "--raw",
            f"/apis/{constants.API_VERSION}/namespaces/{NAMESPACE}/{constants.PLURAL}/{labs.NAME}/scale",
        ).stdout
    )
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    pods = tools.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name", "-l", scale["status"]["selector"])
    assert sorted(pods.stdout.split()) == running.names("pods", NAMESPACE)
    assert len(pods.stdout.split()) == 2
    running.access.kubectl("delete", "hpa", labs.NAME, "-n", NAMESPACE)


def test_kubectl_scales(running: labs.Lab, tools: Tools):
    scaled = tools.kubectl("scale", f"tfmd/{labs.NAME}", "-n", NAMESPACE, "--replicas=1")
    assert scaled.returncode == 0, scaled.stderr
    labs.wait_for("one pod", lambda: len(running.names("pods", NAMESPACE)) == 1, seconds=120)
    assert running.status(NAMESPACE)["phase"] == "Ready"


def test_two_managers_share_the_object_and_a_conflict_names_the_other(running: labs.Lab, tools: Tools):
    named = {"apiVersion": constants.API_VERSION, "kind": constants.KIND}
    share = {**named, "metadata": {"name": labs.NAME, "namespace": NAMESPACE}, "spec": {"replicas": 1}}
    capacity = tools.kubectl("apply", "--server-side", "--field-manager=capacity", "-f", tools.write(share))
    assert capacity.returncode == 0, capacity.stderr
    assert tools.fields_of("capacity") == {"f:replicas": {}}
    assert tools.kubectl("apply", *GIT, "-f", tools.written(1)).returncode == 0
    refused = tools.kubectl("apply", *GIT, "-f", tools.written(1, replicas=2))
    assert refused.returncode == 1
    assert 'conflict with "capacity": .spec.replicas' in refused.stderr
    assert tools.replicas() == 1


def test_waiting_ends_with_1_and_the_cause_when_a_version_is_rejected(running: labs.Lab, tools: Tools):
    before = running.names("pods", NAMESPACE)
    assert tools.kubectl("apply", *GIT, "-f", tools.written(2, paused=True)).returncode == 0
    running.wait_condition(NAMESPACE, "Ready", "Paused")
    early = tools.wait("--timeout", "0")
    assert early.returncode == 2, early
    assert early.stdout.endswith("Paused: spec.rollout.paused holds the start\n")
    assert tools.kubectl("apply", *GIT, "-f", tools.written(2)).returncode == 0
    done = tools.wait("--timeout", "4m", "-o", "json")
    said = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert (said["reason"], said["version"], said["activeVersion"]) == ("RolledBack", 2, 1)
    assert "IdenticalOutputs" in said["message"]
    waited = tools.kubectl(
        "wait", "--for=condition=Ready", f"tfmd/{labs.NAME}", "-n", NAMESPACE, "--timeout=1s"
    )
    assert waited.returncode == 1
    assert tools.kubectl("apply", *GIT, "-f", tools.written(1)).returncode == 0
    assert tools.wait("--timeout", "4m").returncode == 0
    labs.wait_for("the pods as before", lambda: running.names("pods", NAMESPACE) == before, seconds=120)


@pytest.mark.parametrize(("overlay", "replicas"), [("staging", 1), ("production", None)])
def test_an_overlay_is_valid_for_us_and_for_the_api_server(
    running: labs.Lab, tools: Tools, tmp_path: Path, overlay: str, replicas: int | None
):
    folder = specs.EXAMPLES / "gitops" / "overlays" / overlay
    built = tools.kubectl("kustomize", str(folder))
    assert built.returncode == 0, built.stderr
    objects = {o["kind"]: o for o in yaml.safe_load_all(built.stdout)}
    spec = objects[constants.KIND]["spec"]
    generated = objects["ConfigMap"]["metadata"]
    assert generated["name"].startswith("digits-cases-")
    assert generated["labels"] == {constants.LABEL_SMOKE_CASES: "true"}
    assert spec["smoke"]["casesFrom"][0]["configMap"]["name"] == generated["name"]
    assert spec["server"]["image"] == "tensorflow/serving:2.19.1"
    assert spec.get("replicas") == replicas
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(
        built.stdout.replace(f"namespace: {generated['namespace']}", f"namespace: {NAMESPACE}")
    )
    judged = clusters.run(
        running.cluster,
        [sys.executable, "-m", "tfserving_operator", "validate", str(rendered)],
        capture_output=True,
    )
    assert "digits: valid" in judged.stdout
    dry = tools.kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--field-manager=flux",
        "--force-conflicts",
        "--validate=strict",
        "-f",
        str(rendered),
    )
    assert dry.returncode == 0, dry.stderr


def test_other_cases_are_another_name(tools: Tools, tmp_path: Path):
    names = []
    for text in ("[]", "[1]"):
        base = tmp_path / "base"
        base.mkdir(exist_ok=True)
        for file in (specs.EXAMPLES / "gitops" / "base").iterdir():
            (base / file.name).write_text(file.read_text())
        (base / "cases.yaml").write_text(text)
        built = tools.kubectl("kustomize", str(base))
        spec = next(o for o in yaml.safe_load_all(built.stdout) if o["kind"] == constants.KIND)["spec"]
        names.append(spec["smoke"]["casesFrom"][0]["configMap"]["name"])
    assert len(set(names)) == 2


def test_the_claim_of_the_example_is_the_demos():
    base = yaml.safe_load((specs.EXAMPLES / "gitops" / "base" / "modeldeployment.yaml").read_text())
    assert base["spec"]["model"]["uri"] == f"pvc://{manifests.CLAIM}/digits"
