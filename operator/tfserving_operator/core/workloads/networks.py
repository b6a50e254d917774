"""The NetworkPolicy of a ModelDeployment: who may reach its pods, and what they may reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfserving_operator.api import constants
from tfserving_operator.core import snapshot
from tfserving_operator.core.workloads import names


def _rule(peers: Sequence[Mapping[str, Any]], port: int) -> list[dict[str, Any]]:
    """A rule for one port; none where nobody is named, since a rule without peers would let everybody in."""
    return [{"from": [dict(p) for p in peers], "ports": [{"port": port, "protocol": "TCP"}]}] if peers else []


def build_network_policy(*, owner: snapshot.Owner, network: snapshot.Network) -> dict[str, Any]:
    """The policy `<name>` for the pods of all revisions: a candidate is closed before it is tested."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": names.metadata(owner, owner.name),
        "spec": {
            "podSelector": {"matchLabels": names.labels(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                *_rule(network.rest_from, constants.PORT_REST),
                *_rule(network.grpc_from, constants.PORT_GRPC),
            ],
            "egress": [dict(rule) for rule in network.egress],
        },
    }
