"""What the demo applies: a namespace, a volume with the models, and one ModelDeployment in six versions."""

from pathlib import Path
from typing import Any

from local.demo import models
from tfserving_operator.api import constants

NAMESPACE = "tfserving-demo"
NAME = "digits"
"""Of the ModelDeployment, and so of the Service."""
CLAIM = "digit-models"

BAKE_SECONDS = 15
"""Short, so that nobody waits: long enough for clients to renew their connections, and to be killed in."""

TOLERANCE = 0.03
"""How far a probability may be from its golden; TensorFlow itself repeats them to 1e-6."""

Object = dict[str, Any]


def namespace(name: str = NAMESPACE) -> Object:
    """Return a namespace, by default the demo's, closed to pods that are not restricted."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}}


def volume(folder: Path) -> list[Object]:
    """Return a volume of a folder of the node, and its claim."""
    size, modes = {"storage": "2Gi"}, ["ReadOnlyMany"]
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{NAMESPACE}-{CLAIM}"},
            "spec": {
                "capacity": size,
                "accessModes": modes,
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"namespace": NAMESPACE, "name": CLAIM},
                "hostPath": {"path": str(folder), "type": "Directory"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": NAMESPACE},
            "spec": {
                "accessModes": modes,
                "storageClassName": "",
                "volumeName": f"{NAMESPACE}-{CLAIM}",
                "resources": {"requests": size},
            },
        },
    ]


def model_deployment(version: int, *, known: models.Models, image: str) -> Object:
    """Return the ModelDeployment as its owner writes it for a version.

    Versions 2 to 5 claim to be as good as 1, so they are held against its goldens; 6 was trained anew, and
    its goldens come with it.
    """
    return {
        "apiVersion": constants.API_VERSION,
        "kind": constants.KIND,
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "model": {"name": models.MODEL, "uri": f"pvc://{CLAIM}/{models.MODEL}", "version": version},
            "server": {"image": image},
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "1", "memory": "384Mi"},
            },
            "smoke": {
                "cases": smoke_cases(known, goldens_of=6 if version == 6 else 1),
                "load": {"requests": 48, "concurrency": 4},
                "timeoutSeconds": 60,
            },
            "rollout": {"bakeSeconds": BAKE_SECONDS, "progressDeadlineSeconds": 180},
        },
    }


def smoke_cases(known: models.Models, *, goldens_of: int) -> list[Object]:
    """Return one held-out picture of each digit with the answer that TensorFlow recorded for it."""
    cases = []
    for digit in range(10):
        index = known.labels.index(digit)
        answer = [round(value, 6) for value in known.answers[goldens_of][index]]
        cases.append(
            {
                "name": f"a-{digit}",
                "instances": [list(known.images[index])],
                "expect": {"outputs": {"probabilities": [answer]}, "rtol": 0, "atol": TOLERANCE},
            }
        )
    return cases
