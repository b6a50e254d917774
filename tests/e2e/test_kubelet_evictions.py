"""Pods that the kubelet itself ends for its node's memory: who is to blame depends on what the server had asked for."""

import json
import time
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support import pressure, starving
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-pressure"
BEYOND = starving.Model(name="beyond", model="rows", memory="1Gi")
"""Its second version asks for less than its server uses, and is in its bake when the node runs out of memory."""
WITHIN = starving.Model(name="within", model="small", memory="1Gi", spec=starving.gated())
"""Asks for more than its server uses, which is kept from being promoted: it answers on a port where nobody asks."""
ELSEWHERE = 8599
NEVER_READY = starving.shell(f'exec /usr/bin/tensorflow_model_server "$@" --rest_api_port={ELSEWHERE}')
SHORT = {"rollout": {"bakeSeconds": 2, "progressDeadlineSeconds": 120}}
LONG = {"rollout": {"bakeSeconds": 600, "progressDeadlineSeconds": 300}}


def pods(lab: labs.Lab, name: str) -> list[dict[str, Any]]:
    selector = f"{constants.LABEL_NAME}={name}"
    said = lab.access.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json")
    return list(json.loads(said)["items"])


def is_running(lab: labs.Lab, name: str) -> bool:
    """Whether a server runs."""
    statuses = (status for pod in pods(lab, name) for status in pod["status"].get("containerStatuses", []))
    return any("running" in status["state"] for status in statuses)


def is_tested_in_bake(lab: labs.Lab, name: str, version: int) -> bool:
    """Whether the first test through the Service is over: pods are not Ready for a moment while a kubelet starts."""
    active = lab.status(NAMESPACE, name).get("activeRevision", {})
    tested = (line for line in lab.logged("smoke test: ended", NAMESPACE, name) if line["purpose"] == "Bake")
    return active.get("version") == version and active["name"] in {line["revision"] for line in tested}


def evictions(lab: labs.Lab, name: str) -> list[str]:
    """What the kubelet says of the pods that it evicted."""
    statuses = (pod["status"] for pod in pods(lab, name))
    return [status["message"] for status in statuses if status.get("reason") == "Evicted"]


def version(number: int, lab: labs.Lab, *, memory: str, **spec: Any) -> dict[str, Any]:
    """A version of the model that is beyond its request."""
    made = BEYOND.resource(lab, NAMESPACE, memory=memory, **spec)
    made["spec"]["model"]["version"] = number
    return made


def test_a_real_eviction_counts_only_against_a_server_beyond_its_request(running: labs.Lab):
    began = time.monotonic()
    running.make_namespace(NAMESPACE, folder=starving.folder())
    running.apply(
        version(1, running, memory=BEYOND.memory, **SHORT), WITHIN.resource(running, NAMESPACE, **LONG)
    )
    starving.open_gate(running, NAMESPACE, "within", NEVER_READY)
    running.wait_condition(NAMESPACE, "Ready", "RevisionReady", name="beyond")
    greedy = version(2, running, memory=BEYOND.memory, **LONG)
    greedy["spec"]["resources"]["requests"]["memory"] = "32Mi"
    running.apply(greedy)
    labs.wait_for("the test in the bake", lambda: is_tested_in_bake(running, "beyond", 2))
    labs.wait_for("a server", lambda: is_running(running, "within"))
    print(f"{time.monotonic() - began:.0f} s: the node gets low on memory")
    with pressure.of_memory(running):
        labs.wait_for("an eviction", lambda: evictions(running, "beyond"), seconds=120)
        held = running.wait_condition(
            NAMESPACE, "Progressing", "NodeMemoryPressure", name="within", seconds=120
        )
    # The version to go back to may have been evicted too, if the operator was slower than the kubelet
    back = running.wait_condition(NAMESPACE, "Stalled", "RolledBack", name="beyond")
    print(f"{time.monotonic() - began:.0f} s: it is well again")
    print(f"the kubelet: {evictions(running, 'beyond')}, {evictions(running, 'within')}")
    print(f"beyond: {back['message']}\nwithin: {held['message']}")
    assert [kill["kind"] for kill in starving.kills(running, NAMESPACE, "beyond")] == ["Evicted"]
    limit = starving.recommended(running, NAMESPACE, "beyond")
    assert f"set resources.requests.memory and resources.limits.memory to {limit}" in back["message"]
    assert not running.status(NAMESPACE, "within").get("rejectedRevisions")
    assert not starving.kills(running, NAMESPACE, "within")
    running.apply(version(2, running, memory=limit, **SHORT))
    running.wait_condition(NAMESPACE, "Ready", "RevisionReady", name="beyond", seconds=120)
    assert running.status(NAMESPACE, "beyond")["activeRevision"]["version"] == 2
    print(f"{time.monotonic() - began:.0f} s: the recommended memory is enough")
