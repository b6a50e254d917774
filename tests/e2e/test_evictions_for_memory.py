"""Evictions for a node's memory: they count against a model only where its server was beyond its request.

No kubelet of a test may run out of memory on a machine that others share: the pods are on a node without one, and the
test writes what it would, through the API server's own status subresource.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support import starving
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-evicted"
GHOST = "e2e-ghost"

EVICTED = {
    "within": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. ",
    "beyond": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. "
    "Container server was using 300Mi, request is 256Mi, has larger consumption of memory. ",
}
"""As the kubelet writes it: it names the containers that were beyond their own request."""


def evict(lab: labs.Lab, name: str) -> None:
    """End the pod as the kubelet does for its node's memory."""

    def pod() -> str:
        selector = f"{constants.LABEL_NAME}={name}"
        said = lab.access.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json")
        bound = [p for p in json.loads(said)["items"] if p["spec"].get("nodeName") == GHOST]
        return bound[0]["metadata"]["name"] if bound else ""

    found = labs.wait_for(f"a pod of {name} on the node", pod)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    disruption = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "TerminationByKubelet",
        "lastTransitionTime": now,
    }
    ended = {"phase": "Failed", "reason": "Evicted", "message": EVICTED[name], "conditions": [disruption]}
    lab.access.kubectl(
        *("patch", "pod", found, "-n", NAMESPACE),
        *("--subresource=status", "--type=merge", "-p", json.dumps({"status": ended})),
    )


@pytest.fixture
def ghost(running: labs.Lab) -> Iterator[dict[str, Any]]:
    """A node that nothing else is scheduled to, and which runs nothing."""
    running.make_namespace(NAMESPACE, folder=starving.folder())
    taint = {"key": GHOST, "value": "true", "effect": "NoSchedule"}
    room = {"cpu": "4", "memory": "8Gi", "pods": "16"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": GHOST, "labels": {GHOST: "true"}},
        "spec": {"taints": [taint]},
    }
    running.apply(node)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "reason": "Test", "message": ""}
    status = {"status": {"capacity": room, "allocatable": room, "conditions": [ready]}}
    running.access.kubectl(
        "patch", "node", GHOST, "--subresource=status", "--type=merge", "-p", json.dumps(status)
    )
    yield {"template": {"spec": {"nodeSelector": {GHOST: "true"}, "tolerations": [{"operator": "Exists"}]}}}
    running.access.kubectl("delete", "tfmd", "-n", NAMESPACE, *EVICTED)

    def is_empty() -> bool:
        """No kubelet says that a pod has ended."""
        there = ("pods", "-n", NAMESPACE, f"--field-selector=spec.nodeName={GHOST}")
        running.access.kubectl("delete", *there, "--force", "--grace-period=0", "--wait=false")
        return not running.access.kubectl("get", *there, "-o", "name")

    labs.wait_for("the pods of the node to go", is_empty, every=0.5)
    running.access.kubectl("delete", "node", GHOST)


def test_an_eviction_counts_only_against_a_server_beyond_its_request(
    running: labs.Lab, ghost: dict[str, Any]
):
    for name in EVICTED:
        model = starving.Model(name=name, model="small", memory="256Mi", spec=ghost)
        running.apply(model.resource(running, NAMESPACE))
    for name in EVICTED:
        evict(running, name)
    running.wait_condition(NAMESPACE, "Stalled", "Rejected", name="beyond")
    assert [k["kind"] for k in starving.kills(running, NAMESPACE, "beyond")] == ["Evicted"]
    held = running.wait_condition(NAMESPACE, "Progressing", "NodeMemoryPressure", name="within")
    print(f"within: {held['message']}")
    assert not running.status(NAMESPACE, "within").get("rejectedRevisions")
    assert not starving.kills(running, NAMESPACE, "within")
