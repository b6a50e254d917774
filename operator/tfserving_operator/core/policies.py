"""The installation's settings as decisions read them."""

from tfserving_operator import config as configuration
from tfserving_operator.core import snapshot


def build_policy(config: configuration.Config) -> snapshot.Policy:
    """What the installation allows."""
    return snapshot.Policy(
        inspect_image=config.inspect_image,
        image_pull_policy=config.image_pull_policy,
        allowed_images=config.allowed_images,
        allowed_service_accounts=config.allowed_service_accounts,
        allowed_priority_classes=config.allowed_priority_classes,
        allowed_runtime_classes=config.allowed_runtime_classes,
        allowed_service_types=config.allowed_service_types,
        allowed_service_annotations=config.allowed_service_annotations,
        drain_seconds=config.drain_seconds,
        disruption_budgets=config.disruption_budgets,
        network=_network(config.model_network_policy),
        operator_namespace=config.pod_namespace,
    )


def _network(asked: configuration.ModelNetworkPolicy | None) -> snapshot.Network | None:
    if asked is None:
        return None
    return snapshot.Network(rest_from=asked.rest_from, grpc_from=asked.grpc_from, egress=asked.egress)
