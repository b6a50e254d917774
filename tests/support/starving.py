"""Models that run out of memory, what is done to their pods from outside, and what the kubelet made of it."""

import dataclasses
import json
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

from tests.support import exports
from tests.support import lab as labs
from tfserving_operator.api import constants

SCRIPT = Path(__file__).parents[1] / "e2e" / "export_memory.py"
GATE = {"tfserving.dev/e2e-gate": "closed"}
"""A label that no node has: pods wait until the test has changed their template, and taken it out."""
MIB = 2**20
SERVER_USER = 65532
"""As the operator has model servers run."""


def folder() -> Path:
    """The folder of all models."""
    return exports.cached("e2e-memory", SCRIPT) / "memory"


def case(name: str, *rows: tuple[float, float], want: float | None = None) -> dict[str, Any]:
    """A smoke case; the models answer the second number of each row where the first is 0."""
    made: dict[str, Any] = {"name": name, "instances": [list(row) for row in rows]}
    if want is not None:
        made["expect"] = {"outputs": {"y": [want]}}
    return made


CASES = tuple(case(f"row-{n}", (0.0, float(n)), want=float(n)) for n in (1, 2, 3))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A ModelDeployment of one of the models."""

    name: str
    model: str
    memory: str
    version: int = 1
    cpu: str = "1"
    cases: tuple[dict[str, Any], ...] = CASES
    spec: dict[str, Any] = dataclasses.field(default_factory=dict)

    def resource(self, lab: labs.Lab, namespace: str, *, memory: str = "", **spec: Any) -> dict[str, Any]:
        """The object to apply; `resourcePolicy` lets limits through that are below the floor."""
        made = lab.resource(namespace, self.version)
        made["metadata"]["name"] = self.name
        amount = memory or self.memory
        made["spec"] |= {
            "model": {
                "name": self.model,
                "uri": f"pvc://{labs.CLAIM}/{self.model}",
                "version": self.version,
            },
            "resources": {
                "requests": {"cpu": "100m", "memory": amount},
                "limits": {"cpu": self.cpu, "memory": amount},
            },
            "resourcePolicy": "Warn",
            "smoke": {
                "cases": list(self.cases),
                "repeatSeconds": 0,
                "load": {"requests": 16, "concurrency": 8},
            },
            **self.spec,
            **spec,
        }
        return made


def gated() -> dict[str, Any]:
    """The part of a spec that keeps pods from starting before their template is changed."""
    return {"template": {"spec": {"nodeSelector": GATE}}}


def open_gate(lab: labs.Lab, namespace: str, name: str, *changes: dict[str, Any]) -> None:
    """Change the template of the candidate's Deployment, as an admission of a cluster may, and let its pods start."""

    def deployment() -> str:
        wanted = lab.status(namespace, name).get("candidateRevision", {}).get("name", "")
        return wanted if wanted and lab.get("deployment", namespace, wanted) else ""

    found = labs.wait_for(f"the Deployment of {name}", deployment, seconds=120)
    spec = "/spec/template/spec"
    patches = [{"op": "remove", "path": f"{spec}/nodeSelector"}]
    patches += [{**change, "path": f"{spec}{change['path']}"} for change in changes]
    lab.access.kubectl(
        "patch", "deployment", found, "-n", namespace, "--type=json", "-p", json.dumps(patches)
    )
    _delete_gated(lab, namespace, found)


def _delete_gated(lab: labs.Lab, namespace: str, revision: str) -> None:
    """A Deployment keeps the pods of the template before until those of the new one are Ready."""
    selector = f"{constants.LABEL_REVISION}={revision}"
    said = lab.access.kubectl("get", "replicasets", "-n", namespace, "-l", selector, "-o", "json")
    for item in json.loads(said)["items"]:
        if item["spec"]["template"]["spec"].get("nodeSelector") == GATE:
            lab.access.kubectl(
                "delete", "replicaset", item["metadata"]["name"], "-n", namespace, "--wait=false"
            )


def shell(script: str) -> dict[str, Any]:
    """A shell in the place of the server: its arguments are the server's."""
    return {"op": "replace", "path": "/containers/0/command", "value": ["sh", "-c", script, "sh"]}


def kills(lab: labs.Lab, namespace: str, name: str) -> list[dict[str, Any]]:
    """What status remembers of a ModelDeployment that ran out of memory."""
    return list(lab.status(namespace, name).get("resources", {}).get("recentOOMs", []))


def recommended(lab: labs.Lab, namespace: str, name: str) -> str:
    """The limit to set, as status says."""
    return str(lab.status(namespace, name).get("resources", {}).get("recommendedMemoryLimit", ""))


def limit_address_space(container_id: str, more: int) -> None:
    """Let the server in a container have no more than so many further bytes of address space."""
    of_container = container_id.rpartition("/")[2]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if of_container not in (process / "cgroup").read_text():
                continue
            pages = int((process / "statm").read_text().split()[0])
        except (OSError, ValueError):
            continue  # it ended meanwhile
        limit = pages * resource.getpagesize() + more
        # As the server's own user: that needs no capability
        command = ["prlimit", f"--pid={process.name}", f"--as={limit}:{limit}"]
        subprocess.run(command, user=SERVER_USER, group=SERVER_USER, extra_groups=[], check=True)


def container_ids(lab: labs.Lab, namespace: str, name: str) -> list[str]:
    """Of the servers of a ModelDeployment."""
    selector = f"{constants.LABEL_NAME}={name}"
    said = lab.access.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json")
    statuses = (s for pod in json.loads(said)["items"] for s in pod["status"].get("containerStatuses", []))
    return [s["containerID"] for s in statuses if s["name"] == constants.CONTAINER_SERVER]


def forget_code(lab: labs.Lab) -> None:
    """Take the server's libraries out of the machine's memory.

    A page counts against the container that reads it first: while another one has it, or had it, nobody is slow.
    """
    snapshots = (
        lab.cluster.kubeconfig.parent / "containerd" / "io.containerd.snapshotter.v1.overlayfs" / "snapshots"
    )
    libraries = list(snapshots.glob("*/fs/opt/modelserver/.venv/lib/*/site-packages/tensorflow/lib*.so*"))
    assert libraries, snapshots
    for path in libraries:
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
