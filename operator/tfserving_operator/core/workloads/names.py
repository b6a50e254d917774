"""Names, paths and metadata that the builders share."""

from typing import Any, Final

from tfserving_operator.api import constants, types
from tfserving_operator.core import snapshot, sources

MODELS_PATH: Final = "/models"
"""Where the claim is mounted, in both containers."""
CONFIG_PATH: Final = "/etc/tensorflow-serving"
"""Where the revision's ConfigMap is mounted in the server."""
PIN_PATH: Final = "/etc/tfserving-operator/pin"
"""Where `<revision>-cases` is mounted in the inspector, once it exists."""

MODELS_CONFIG: Final = "models.config"
MONITORING_CONFIG: Final = "monitoring.config"
BATCHING_CONFIG: Final = "batching.config"
CASES_KEY: Final = "cases.json"
COMPRESSED_CASES_KEY: Final = "cases.json.gz"
DIGEST_KEY: Final = "model-digest"


def model_name(owner: snapshot.Owner, spec: types.Spec) -> str:
    """The NAME of /v1/models/NAME."""
    return spec.model.name or owner.name


def model_path(spec: types.Spec) -> str:
    """The folder in the pod that holds the numeric version folders."""
    path = sources.parse(spec.model.uri).path
    return f"{MODELS_PATH}/{path}" if path else MODELS_PATH


def pin_name(revision: str) -> str:
    """The name of the ConfigMap with the smoke input that the revision passed with."""
    return f"{revision}-cases"


def labels(owner: snapshot.Owner, *, revision: str | None = None) -> dict[str, str]:
    """Our labels of an object, of one revision where it belongs to one."""
    ours = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY, constants.LABEL_NAME: owner.name}
    return ours if revision is None else {**ours, constants.LABEL_REVISION: revision}


def metadata(owner: snapshot.Owner, name: str, *, revision: str | None = None) -> dict[str, Any]:
    """Metadata of an object that the ModelDeployment controls; it goes when its owner goes."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels(owner, revision=revision),
        "ownerReferences": [
            {
                "apiVersion": constants.API_VERSION,
                "kind": constants.KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                # True would need the right to update finalizers of ModelDeployments
                "blockOwnerDeletion": False,
            }
        ],
    }
