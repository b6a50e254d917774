"""A cluster that is already there, by its kube context: models and client go into it."""

import dataclasses
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from local.cluster import binaries
from local.demo import access, client, manifests, models, traffic
from local.progress import MissingError

SERVER_IMAGE = "tensorflow/serving:2.19.1"
"""The model server where no other image is asked for."""

CLIENT = "client"
"""Name of the client's pod, and of the ConfigMap with its program."""

LOADER = "model-loader"
"""Name of the pod through which the models are copied into the claim."""

POD_TIMEOUT = "180s"
"""For a pod to start: images may have to be pulled."""

FOLDER = "/demo"
"""Where claim or program are mounted in these pods."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the environment asks for."""

    context: str
    server_image: str
    operator_image: str
    """Empty: the chart's own."""


def wanted() -> Wanted | None:
    """Return what the environment asks for; None without ``CONTEXT``."""
    context = os.environ.get("CONTEXT", "")
    if not context:
        return None
    return Wanted(
        context=context,
        server_image=os.environ.get("IMAGE") or SERVER_IMAGE,
        operator_image=os.environ.get("OPERATOR_IMAGE", ""),
    )


def reach(context: str) -> access.Access:
    """Return the access to the cluster of a kube context."""
    reached = access.Access(
        environment=dict(os.environ),
        kubectl_program=_program("kubectl", binaries.KUBERNETES),
        helm_program=_program("helm", binaries.HELM),
        context=context,
    )
    try:
        reached.kubectl("version", "--request-timeout=10s")
    except RuntimeError as error:
        raise MissingError(f"the cluster of context {context} does not answer: {error}") from None
    return reached


def _program(name: str, toolset: binaries.Toolset) -> str:
    built = binaries.folder_of(toolset) / name
    found = shutil.which(name) or (str(built) if built.exists() else "")
    if not found:
        raise MissingError(f"missing, for an existing cluster: {name} (in PATH)")
    return found


def claim() -> manifests.Object:
    """Return a claim of the cluster's default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": manifests.CLAIM, "namespace": manifests.NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }


def pod(name: str, *, image: str, command: list[str], volume: dict[str, Any]) -> manifests.Object:
    """Return a restricted pod with one volume."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": manifests.NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    "image": image,
                    "command": command,
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"memory": "512Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "content", "mountPath": FOLDER}],
                }
            ],
            "volumes": [{"name": "content", **volume}],
        },
    }


def copy_models(reached: access.Access, known: models.Models, *, image: str) -> None:
    """Create the namespace and a claim, and copy the models into it through a pod.

    Parameters
    ----------
    reached
        The cluster.
    known
        The models.
    image
        Any with Python: the operator's.
    """
    idle = ["python3", "-c", "import time; time.sleep(3600)"]
    volume = {"persistentVolumeClaim": {"claimName": manifests.CLAIM}}
    reached.apply(manifests.namespace(), claim(), pod(LOADER, image=image, command=idle, volume=volume))
    _wait_ready(reached, LOADER)
    unpack = (
        f"import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|gz').extractall('{FOLDER}')"
    )
    argv = [*reached.kubectl_argv(), "exec", "-i", "-n", manifests.NAMESPACE, LOADER, "--"]
    with subprocess.Popen(
        [*argv, "python3", "-c", unpack], env=reached.environment, stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        with (
            gzip.GzipFile(fileobj=process.stdin, mode="wb", compresslevel=1) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            archive.add(known.folder / models.MODEL, arcname=models.MODEL)
    if process.returncode:
        raise RuntimeError("the models could not be copied into the cluster")
    reached.kubectl("delete", "pod", LOADER, "-n", manifests.NAMESPACE, "--wait")


def _wait_ready(reached: access.Access, name: str) -> None:
    where = ("-n", manifests.NAMESPACE)
    try:
        reached.kubectl("wait", "--for=condition=Ready", f"pod/{name}", *where, f"--timeout={POD_TIMEOUT}")
    except RuntimeError as error:
        events = reached.kubectl("get", "events", *where, "--sort-by=.lastTimestamp", check=False)
        raise RuntimeError(f"{error}\n{events[-2000:]}") from None


def place_in_cluster(reached: access.Access, known: models.Models, *, image: str) -> traffic.Place:
    """Start the client in a pod of its own and return its place."""
    program = ("python3", f"{FOLDER}/client.py")
    settings = ("--url", traffic.service_url(reached), "--tables", f"{FOLDER}/facts.json")
    content = {
        "client.py": Path(client.__file__).read_text(),
        "facts.json": json.dumps({"images": known.images, "answers": known.answers}),
    }
    metadata = {"name": CLIENT, "namespace": manifests.NAMESPACE}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}
    command = [*program, "load", *settings]
    reached.apply(config, pod(CLIENT, image=image, command=command, volume={"configMap": {"name": CLIENT}}))
    _wait_ready(reached, CLIENT)
    inside = (*reached.kubectl_argv(), "exec", "-n", manifests.NAMESPACE, CLIENT, "--")
    end = "import os, signal; os.kill(1, signal.SIGTERM)"
    return traffic.Place(
        access=reached,
        load=(*reached.kubectl_argv(), "logs", "--follow", "-n", manifests.NAMESPACE, CLIENT),
        burst=(*inside, *program, "burst", *settings, "--rows", str(traffic.BURST_ROWS)),
        stop=(*inside, "python3", "-c", end),
        clock_ahead=_clock_ahead(reached),
    )


def _clock_ahead(reached: access.Access) -> float:
    """Return how many seconds the node's clock is ahead of ours, to about half the time of a command."""
    before = time.time()
    ask = ("python3", "-c", "import time; print(time.time())")
    said = reached.kubectl("exec", "-n", manifests.NAMESPACE, CLIENT, "--", *ask)
    after = time.time()
    theirs = float(io.StringIO(said).readline())
    return 0.0 if before <= theirs <= after else theirs - (before + after) / 2
