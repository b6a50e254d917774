"""The PodDisruptionBudget of a ModelDeployment: how many pods of the active revision evictions may take."""

from typing import Any

from tfserving_operator.api import constants, types
from tfserving_operator.core import snapshot
from tfserving_operator.core.workloads import names


def build_budget(*, owner: snapshot.Owner, spec: types.Spec, active_revision: str) -> dict[str, Any]:
    """The budget `<name>`, whose selector follows the active revision: candidates are nobody's loss."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": names.metadata(owner, owner.name),
        "spec": {
            "maxUnavailable": spec.disruption.max_unavailable,
            "selector": {
                "matchLabels": {
                    constants.LABEL_NAME: owner.name,
                    constants.LABEL_REVISION: active_revision,
                }
            },
            # A pod that does not serve protects nobody: it must not hold a drain up
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
