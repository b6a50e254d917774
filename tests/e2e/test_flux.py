"""A team drives a model from Git with Flux: a good commit, a bad one, and its revert."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from local.gitops import judging
from tests.support import fluxes, specs
from tests.support import lab as labs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-flux"
TIMEOUT_SECONDS = 300
GOOD, BAD = 1, 2


@dataclass(kw_only=True)
class Story:
    """What was seen of the three commits."""

    lab: labs.Lab
    began: float = 0.0
    good: dict[str, Any] = field(default_factory=dict)
    bad: dict[str, Any] = field(default_factory=dict)
    bad_seconds: float = 0.0
    reverted: dict[str, Any] = field(default_factory=dict)
    stalled: dict[str, Any] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    """By the Service: after the good commit, after the bad one, after the revert."""
    pods: list[dict[str, tuple[str, int]]] = field(default_factory=list)
    """UID and restarts of each pod of the good version, at the same moments."""
    events: list[dict[str, Any]] = field(default_factory=list)
    final: dict[str, Any] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=list)
    """Every state of the object that a watch has seen."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The audit log's entries about the object, but for reads."""

    documented: list[str] = field(default_factory=list)
    """What the API server says of the Kustomizations in the documentation."""

    def note(self) -> None:
        """Keep what serves at this moment."""
        self.selected.append(self.lab.selected(NAMESPACE))
        pods = json.loads(
            self.lab.access.kubectl(
                *("get", "pods", "-n", NAMESPACE, "-o", "json"),
                *("-l", f"{constants.LABEL_REVISION}={self.selected[0]}"),
            )
        )["items"]
        restarts = {
            p["metadata"]["name"]: sum(c["restartCount"] for c in p["status"]["containerStatuses"])
            for p in pods
        }
        self.pods.append(
            {p["metadata"]["name"]: (p["metadata"]["uid"], restarts[p["metadata"]["name"]]) for p in pods}
        )


@contextmanager
def watched(lab: labs.Lab, path: Path) -> Iterator[None]:
    """Write every state of the namespace's ModelDeployments into a file, one JSON object a line."""
    query = (
        f"/apis/{constants.API_VERSION}/namespaces/{NAMESPACE}/{constants.PLURAL}?watch=1&timeoutSeconds=900"
    )
    with (
        path.open("wb") as file,
        subprocess.Popen(
            [*lab.access.kubectl_argv(), "get", "--raw", query], env=lab.access.environment, stdout=file
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def _write_repository(flux: fluxes.Flux, lab: labs.Lab) -> None:
    """The example's base and overlays, and one more overlay for this cluster."""
    for folder in ("base", "overlays"):
        copytree(specs.EXAMPLES / "gitops" / folder, flux.repository / folder)
    image, _, tag = lab.server_image.rpartition(":")
    short = {
        "smoke": {"repeatSeconds": 0, "load": {"requests": 8, "concurrency": 2}},
        "rollout": {"bakeSeconds": 4, "progressDeadlineSeconds": 240},
    }
    name = {"apiVersion": constants.API_VERSION, "kind": constants.KIND, "metadata": {"name": labs.NAME}}
    flux.write("clusters/e2e/short.yaml", {**name, "spec": short})
    flux.write("clusters/e2e/version.yaml", {**name, "spec": {"model": {"version": GOOD}}})
    flux.write(
        "clusters/e2e/kustomization.yaml",
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACE,
            "resources": ["../../overlays/staging"],
            "images": [{"name": "tensorflow/serving", "newName": image, "newTag": tag}],
            "patches": [{"path": "short.yaml"}, {"path": "version.yaml"}],
        },
    )


def _tell(lab: labs.Lab, flux: fluxes.Flux, story: Story) -> None:
    _write_repository(flux, lab)
    flux.follow("./clusters/e2e", timeout_seconds=TIMEOUT_SECONDS, interval_seconds=10)
    story.good = flux.wait(flux.commit("digits: version 1"), "ReconciliationSucceeded")
    story.note()
    name = {"apiVersion": constants.API_VERSION, "kind": constants.KIND, "metadata": {"name": labs.NAME}}
    flux.write("clusters/e2e/version.yaml", {**name, "spec": {"model": {"version": BAD}}})
    committed = time.monotonic()
    story.bad = flux.wait(flux.commit("digits: version 2"), "HealthCheckFailed")
    story.bad_seconds = time.monotonic() - committed
    story.stalled = lab.condition(NAMESPACE, "Stalled")
    story.note()
    flux.reconcile()
    story.reverted = flux.wait(flux.revert(), "ReconciliationSucceeded")
    flux.reconcile()
    story.note()


@pytest.fixture(scope="module")
def story(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Story:
    if lab.process is None or lab.process.poll() is not None:
        lab.process = None
        lab.start()
    folder, told = tmp_path_factory.mktemp("flux"), Story(lab=lab, began=time.time())
    lab.make_namespace(NAMESPACE)
    with fluxes.running(lab, folder, NAMESPACE) as flux, watched(lab, folder / "states"):
        _tell(lab, flux, told)
        listed = lab.access.kubectl("get", "events", "-n", NAMESPACE, "-o", "json")
        told.events = json.loads(listed)["items"]
        told.final = json.loads(
            lab.access.kubectl(
                "get", labs.RESOURCE, labs.NAME, "-n", NAMESPACE, "-o", "json", "--show-managed-fields"
            )
        )
        told.requests = list(_requests(lab, told.began))
        told.documented = _apply_documented(lab)
    lines = (folder / "states").read_bytes().splitlines()
    told.states = [event["object"] for event in map(json.loads, lines) if event["type"] != "DELETED"]
    return told


def _apply_documented(lab: labs.Lab) -> list[str]:
    page = specs.EXAMPLES.parent / "docs" / "gitops.md"
    said = []
    for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        made = yaml.safe_load(block)
        if made["kind"] == "Kustomization":
            made["metadata"]["namespace"] = NAMESPACE
            dry = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
            said.append(lab.access.kubectl(*dry, stdin=json.dumps(made)).strip())
    return said


def _requests(lab: labs.Lab, since: float) -> Iterator[dict[str, Any]]:
    """Writes of the ModelDeployment that were answered, with their queries."""
    since_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    with lab.cluster.audit_log.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                continue
            entry = json.loads(line)
            target = entry.get("objectRef") or {}
            is_ours = (target.get("resource"), target.get("namespace")) == (constants.PLURAL, NAMESPACE)
            is_done = entry["stage"] == "ResponseComplete" and entry["requestReceivedTimestamp"] >= since_text
            if is_ours and is_done and entry["verb"] not in {"get", "list", "watch"}:
                yield entry


def test_a_good_commit_is_ready_when_the_model_is_proven(story: Story):
    assert story.good["status"] == "True"
    assert story.good["message"].startswith("Applied revision: main@sha1:")


def test_a_bad_commit_fails_before_its_timeout_and_names_the_model(story: Story):
    assert story.bad["status"] == "False"
    assert f"ModelDeployment/{NAMESPACE}/{labs.NAME} status: 'Failed'" in story.bad["message"]
    assert story.bad_seconds < TIMEOUT_SECONDS


def test_the_cause_is_in_the_condition_and_in_a_warning(story: Story):
    assert story.stalled["reason"] == "RolledBack"
    assert f"version {BAD} was rejected: IdenticalOutputs" in story.stalled["message"]
    assert f"version {GOOD} serves" in story.stalled["message"]
    warnings = [
        e for e in story.events if e["type"] == "Warning" and e["involvedObject"]["kind"] == constants.KIND
    ]
    assert any("IdenticalOutputs" in f"{e['reason']} {e['message']}" for e in warnings), warnings


def test_the_good_version_serves_all_along_and_its_pods_never_change(story: Story):
    assert len(set(story.selected)) == 1
    assert story.pods[0]
    assert story.pods[0] == story.pods[1] == story.pods[2]
    began = next(i for i, s in enumerate(story.states) if _condition(s, "Available") == "True")
    assert {_condition(s, "Available") for s in story.states[began:]} == {"True"}


def test_the_revert_is_current_again(story: Story):
    assert story.reverted["status"] == "True"
    assert story.final["status"]["phase"] == "Ready"
    assert story.final["status"]["activeRevision"]["version"] == GOOD


def test_kstatus_tells_the_truth_about_every_state_of_the_live_rollout(story: Story):
    judged = judging.kstatus(story.states)
    assert all(j.sigs == j.flux for j in judged)
    course: list[str] = []
    for state, health in zip(story.states, judged, strict=True):
        if not course or course[-1] != health.flux.status:
            course.append(health.flux.status)
        if health.flux.status == "Current":
            active = state["status"]["activeRevision"]
            assert active["version"] == state["spec"]["model"]["version"]
            assert "bakeUntil" not in active
    assert course == ["InProgress", "Current", "InProgress", "Failed", "InProgress", "Current"]


def test_the_selector_for_autoscalers_covers_the_active_revision_only(story: Story):
    testing = [s for s in story.states if s.get("status", {}).get("phase") in {"Starting", "Testing"}]
    beside = [s for s in testing if "activeRevision" in s["status"]]
    assert beside
    for state in beside:
        name = state["status"]["activeRevision"]["name"]
        assert state["status"]["selector"] == (
            f"{constants.LABEL_NAME}={labs.NAME},{constants.LABEL_REVISION}={name}"
        )


def test_the_operator_writes_nothing_but_status(story: Story):
    written = [r for r in story.requests if r["user"]["username"] == story.lab.user]
    assert written
    assert {r["objectRef"].get("subresource") for r in written} == {"status"}
    managed = {m["manager"]: m for m in story.final["metadata"]["managedFields"]}
    ours = [m for name, m in managed.items() if name.startswith(constants.FIELD_MANAGER)]
    assert [(m["subresource"], set(m["fieldsV1"])) for m in ours] == [("status", {"f:status"})]
    assert "f:spec" in managed["kustomize-controller"]["fieldsV1"]
    assert set(managed) - {"kustomize-controller"} == {m["manager"] for m in ours}


def test_flux_writes_once_for_each_commit_and_corrects_no_drift(story: Story):
    flux = [r for r in story.requests if r["user"]["username"] == fluxes.USER]
    dry = [r for r in flux if "dryRun=All" in r["requestURI"]]
    assert len(dry) >= 5, "it looks for drift with each commit, and was asked to twice more"
    assert len(flux) - len(dry) == 3
    assert story.final["metadata"]["generation"] == 3


def test_the_documented_kustomization_is_one(story: Story):
    assert [said.rpartition("/")[2] for said in story.documented] == ["models configured (server dry run)"]


def _condition(state: dict[str, Any], kind: str) -> str:
    conditions = state.get("status", {}).get("conditions", ())
    return next((c["status"] for c in conditions if c["type"] == kind), "")
