"""A node that is low on memory by the word of its own kubelet, though nobody uses up the machine's.

The kubelet is started again with a threshold that every machine is beyond: it evicts one pod after the other, in its
own order, and whatever else the machine does. A hard threshold would be taken from what pods may ask for too, and
would be acted on before the new kubelet has measured its pods; a soft one is neither.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import yaml

from local.cluster import layout as layouts
from local.cluster import namespaces
from tests.support import lab as labs

LEFT = 1024
"""KiB that may be in use: no machine gets by with them."""
GRACE = "5s"
"""How long the threshold has to be crossed; the kubelet looks every 10 s."""


@contextlib.contextmanager
def of_memory(lab: labs.Lab) -> Iterator[None]:
    """While it lasts, the node evicts its pods for memory, all of them; at its end the node is as it was."""
    config = layouts.selected().config / "kubelet.yaml"
    text = config.read_text()
    try:
        try:
            config.write_text(_contented_with_nothing(text, _node(lab)["status"]["capacity"]["memory"]))
            _restart_kubelet(lab)
        finally:
            config.write_text(
                text
            )  # it was read: whatever becomes of this process, the next kubelet is as ever
        yield
    finally:
        _restart_kubelet(lab)
        labs.wait_for("the node to be well", lambda: _is_well(_node(lab)), seconds=120)


def _contented_with_nothing(text: str, capacity: str) -> str:
    """The kubelet's configuration with the threshold of memory that lets the node keep nothing."""
    made = yaml.safe_load(text)
    made["evictionSoft"] = {"memory.available": f"{int(capacity.removesuffix('Ki')) - LEFT}Ki"}
    made["evictionSoftGracePeriod"] = {"memory.available": GRACE}
    made["evictionMaxPodGracePeriod"] = 1
    return str(yaml.safe_dump(made))


def _restart_kubelet(lab: labs.Lab) -> None:
    """End the kubelet, and wait until the one that the node starts in its place answers; the pods live on."""
    layout = layouts.selected()
    before = namespaces.component_pids(layout).get("kubelet")
    if before is not None:
        os.kill(before, signal.SIGKILL)

    def answers() -> bool:
        if namespaces.component_pids(layout).get("kubelet", before) == before:
            return False
        path = f"/api/v1/nodes/{layouts.NODE_NAME}/proxy/healthz"
        return lab.in_network("kubectl", "get", "--raw", path, check=False).returncode == 0

    labs.wait_for("a kubelet", answers, seconds=120)


def _node(lab: labs.Lab) -> dict[str, Any]:
    return dict(json.loads(lab.access.kubectl("get", "node", layouts.NODE_NAME, "-o", "json")))


def _is_well(node: dict[str, Any]) -> bool:
    """Whether new pods may come to it."""
    conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    is_free = not node["spec"].get("taints")
    return conditions["Ready"] == "True" and conditions["MemoryPressure"] == "False" and is_free
