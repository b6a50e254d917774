"""Every way of running out of memory on a real kubelet: what is seen, whom it is blamed on, and the limit that helps.

One ModelDeployment for each way, side by side; then each is applied again with the limit that its status recommends.
"""

import json
import sys
import time

import pytest

from tests.support import lab as labs
from tests.support import starving
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-memory"
ALONE = "e2e-thrashing"

REJECTED = {
    "loading": starving.Model(name="loading", model="large", memory="256Mi"),
    "warmup": starving.Model(name="warmup", model="warmed", memory="256Mi"),
    "burst": starving.Model(
        name="burst",
        model="rows",
        memory="256Mi",
        cases=(*starving.CASES, starving.case("large", *[(0.0, float(n)) for n in range(320)])),
        cpu="4",  # as many operations at once as the limit has CPUs, each with 80 MiB
    ),
    "child": starving.Model(name="child", model="large", memory="256Mi", spec=starving.gated()),
    "unnamed": starving.Model(name="unnamed", model="small", memory="256Mi", spec=starving.gated()),
}
"""By what kills: each is a kill of the model's, of one kind; 256 MiB hold the server, and not what the model adds."""
KINDS = {"unnamed": "ExitCode137"}
"""Where it is not OOMKilled."""
ABSURD = starving.Model(
    name="absurd", model="square", memory="256Mi", cases=(*starving.CASES, starving.case("huge", (4e6, 1.0)))
)
ABORTS = starving.Model(
    name="aborts",
    model="text",
    memory="512Mi",
    spec={"rollout": {"bakeSeconds": 600, "progressDeadlineSeconds": 120}},
)
INSPECTOR = starving.Model(name="inspector", model="small", memory="256Mi", spec=starving.gated())
STOPPED = starving.Model(name="stopped", model="small", memory="256Mi", spec=starving.gated())
THRASHING = starving.Model(name="thrashing", model="small", memory="68Mi")
GROWING = starving.Model(name="growing", model="leaking", memory="256Mi")

_PREDICT = """
import contextlib, sys, requests
with contextlib.suppress(requests.RequestException):
    requests.post(sys.argv[1], json={"instances": [[float(sys.argv[2]), 1.0]]}, timeout=30)
"""


def predict(lab: labs.Lab, model: starving.Model, first: float) -> None:
    """Ask through the Service; whether it is answered does not matter."""
    service = lab.get("service", NAMESPACE, model.name)["spec"]
    url = f"http://{service['clusterIP']}:{constants.PORT_REST}/v1/models/{model.model}:predict"
    lab.in_network(sys.executable, "-c", _PREDICT, url, str(first), timeout=120)


def pressed(lab: labs.Lab) -> dict[str, str]:
    """What names the lack of memory of the server that gets nowhere: the kernel may kill it in the end."""
    found = lab.condition(ALONE, "Ready", "thrashing")
    is_named = found.get("reason") == "MemoryPressure" or "OOMKilled" in found.get("message", "")
    return found if is_named else {}


def test_a_limit_that_slows_down_is_named_in_place_of_a_deadline(running: labs.Lab):
    """Alone on the node: who shares the pages of the server's code with others is not slow."""
    running.make_namespace(ALONE, folder=starving.folder())
    starving.forget_code(running)
    began = time.monotonic()
    running.apply(THRASHING.resource(running, ALONE))
    found = labs.wait_for("memory pressure", lambda: pressed(running), seconds=120)
    print(f"thrashing, after {time.monotonic() - began:.0f} s: {found['reason']}: {found['message']}")
    assert "set resources.limits.memory to 256Mi" in found["message"]
    limit = starving.recommended(running, ALONE, "thrashing")
    assert limit == "256Mi"
    running.apply(THRASHING.resource(running, ALONE, memory=limit))
    running.wait_condition(ALONE, "Ready", "RevisionReady", name="thrashing", seconds=120)
    running.access.kubectl("delete", "tfmd", "thrashing", "-n", ALONE)


@pytest.fixture(scope="module")
def starved(lab: labs.Lab) -> labs.Lab:
    """Everything applied at once; pods wait for their turn where the node has no room."""
    if lab.process is None or lab.process.poll() is not None:
        lab.process = None
        lab.start()
    lab.make_namespace(NAMESPACE, folder=starving.folder())
    everything = (*REJECTED.values(), ABSURD, ABORTS, INSPECTOR, STOPPED, GROWING)
    lab.apply(*(model.resource(lab, NAMESPACE) for model in everything))
    inspect = {"requests": {"memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    probe = {
        "exec": {"command": ["false"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1,
    }
    changes = {
        # A child is killed, and the container ends with a code of its own later
        "child": [starving.shell('/usr/bin/tensorflow_model_server "$@"; exit 3')],
        # Nobody says why; Kubernetes makes $$ of $$$$
        "unnamed": [starving.shell("kill -9 $$$$")],
        "inspector": [{"op": "replace", "path": "/initContainers/0/resources", "value": inspect}],
        "stopped": [
            starving.shell("trap '' TERM; while true; do sleep 1; done"),
            {"op": "add", "path": "/containers/0/livenessProbe", "value": probe},
        ],
    }
    for name, wanted in changes.items():
        starving.open_gate(lab, NAMESPACE, name, *wanted)
    return lab


@pytest.mark.parametrize("name", REJECTED)
def test_a_server_that_is_killed_is_rejected_with_the_limit_to_set(starved: labs.Lab, name: str):
    stalled = starved.wait_condition(NAMESPACE, "Stalled", "Rejected", name=name, seconds=180)
    print(f"{name}: {stalled['message']}")
    rejected = starved.status(NAMESPACE, name)["rejectedRevisions"][0]
    assert rejected["reason"] == "OOMKilled"
    (kill,) = starving.kills(starved, NAMESPACE, name)
    assert (kill["kind"], kill["container"]) == (KINDS.get(name, "OOMKilled"), "server")
    assert kill["revision"] == rejected["name"]
    limit = starving.recommended(starved, NAMESPACE, name)
    assert f"set resources.limits.memory to {limit}" in rejected["message"]


def test_an_allocation_that_is_refused_while_the_server_lives_is_told_from_a_full_queue(starved: labs.Lab):
    stalled = starved.wait_condition(NAMESPACE, "Stalled", "Rejected", name="absurd", seconds=180)
    print(f"absurd: {stalled['message']}")
    rejected = starved.status(NAMESPACE, "absurd")["rejectedRevisions"][0]
    assert (rejected["reason"], rejected["cause"]) == ("OOMKilled", "AllocationFailed")
    assert "OOM when allocating tensor with shape[4000000,4000000]" in rejected["message"]
    assert "no memory limit is enough" in rejected["message"]
    (kill,) = starving.kills(starved, NAMESPACE, "absurd")
    assert kill["kind"] == "AllocationFailed"
    assert "set resources.limits.memory" not in rejected["message"]


def test_an_inspector_without_memory_is_not_the_models_fault(starved: labs.Lab):
    starved.wait_condition(NAMESPACE, "Progressing", "InspectorOOM", name="inspector", seconds=180)
    status = starved.status(NAMESPACE, "inspector")
    assert not status.get("rejectedRevisions")
    assert not starving.kills(starved, NAMESPACE, "inspector")


def test_a_kill_after_the_grace_period_of_a_failing_probe_is_no_lack_of_memory(starved: labs.Lab):
    starved.wait_condition(NAMESPACE, "Progressing", "ServerKilled", name="stopped", seconds=180)
    selector = f"{constants.LABEL_NAME}=stopped"
    said = starved.access.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json")
    statuses = [s for pod in json.loads(said)["items"] for s in pod["status"].get("containerStatuses", [])]
    ends = [s.get("lastState", {}).get("terminated") or s["state"].get("terminated") for s in statuses]
    assert (137, "Error") in {(end["exitCode"], end["reason"]) for end in ends if end}
    status = starved.status(NAMESPACE, "stopped")
    assert not status.get("rejectedRevisions")
    assert not starving.kills(starved, NAMESPACE, "stopped")


def test_an_abort_for_want_of_memory_while_baking_is_seen(starved: labs.Lab):
    starved.wait_condition(NAMESPACE, "Ready", "Baking", name="aborts", seconds=180)
    (container,) = starving.container_ids(starved, NAMESPACE, "aborts")
    starving.limit_address_space(container, 32 * starving.MIB)
    predict(starved, ABORTS, 0.0)
    stalled = starved.wait_condition(NAMESPACE, "Stalled", "NoHealthyRevision", name="aborts")
    print(f"aborts: {stalled['message']}")
    (kill,) = starving.kills(starved, NAMESPACE, "aborts")
    assert kill["kind"] == "BadAlloc"
    assert "std::bad_alloc" in stalled["message"]
    assert "set resources.limits.memory to 1Gi" in stalled["message"]


def leak_until_killed(lab: labs.Lab, kills: int) -> None:
    """Ask the growing model until its server was killed so often."""

    def restarts() -> bool:
        selector = f"{constants.LABEL_NAME}=growing"
        said = lab.access.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json")
        statuses = [s for p in json.loads(said)["items"] for s in p["status"].get("containerStatuses", [])]
        ends = [s.get("lastState", {}).get("terminated") for s in statuses]
        waits = [s for s in statuses if s["state"].get("terminated")]
        return sum(s["restartCount"] for s in statuses) + len(waits) >= kills and any((*ends, *waits))

    def look() -> bool:
        if restarts():
            return True
        predict(lab, GROWING, 25.0)  # a few are enough
        return False

    labs.wait_for(f"kill {kills} of the growing model", look, seconds=120)


def test_growth_after_the_bake_is_counted_also_while_the_operator_is_down(starved: labs.Lab):
    starved.wait_condition(NAMESPACE, "Ready", "RevisionReady", name="growing", seconds=180)
    leak_until_killed(starved, 1)
    labs.wait_for("the first kill", lambda: len(starving.kills(starved, NAMESPACE, "growing")) == 1)
    assert starved.condition(NAMESPACE, "Stalled", "growing")["status"] == "False"
    starved.kill()
    leak_until_killed(starved, 2)
    starved.start()
    stalled = starved.wait_condition(NAMESPACE, "Stalled", "NoHealthyRevision", name="growing")
    print(f"growing: {stalled['message']}")
    kills = starving.kills(starved, NAMESPACE, "growing")
    assert len({kill["containerID"] for kill in kills}) == len(kills) == 2
    assert "set resources.limits.memory to 512Mi" in stalled["message"]


def test_with_the_recommended_limit_as_it_is_each_is_promoted(starved: labs.Lab):
    again = [*REJECTED.values(), ABORTS, GROWING]
    plain = {
        "template": {"metadata": {"labels": {"again": "true"}}},
        "rollout": {"bakeSeconds": 2, "progressDeadlineSeconds": 120},
    }
    limits = {model.name: starving.recommended(starved, NAMESPACE, model.name) for model in again}
    print(limits)
    for model in again:
        starved.apply(model.resource(starved, NAMESPACE, memory=limits[model.name], **plain))
    for model in (INSPECTOR, STOPPED):
        starved.apply(model.resource(starved, NAMESPACE, **plain))
    smoke = {"smoke": {"cases": list(starving.CASES), "repeatSeconds": 0}}
    starved.apply(ABSURD.resource(starved, NAMESPACE, **plain, **smoke))
    for model in (*again, INSPECTOR, STOPPED, ABSURD):
        starved.wait_condition(NAMESPACE, "Ready", "RevisionReady", name=model.name, seconds=240)
        # The node has not room for all of them at once
        starved.access.kubectl("delete", "tfmd", model.name, "-n", NAMESPACE, "--wait=false")
