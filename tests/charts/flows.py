"""Who may speak to whom: the table of flows that the network policies are held to."""

from dataclasses import dataclass
from typing import Any

from tfserving_operator.api import constants

OPERATOR = {
    "app.kubernetes.io/name": "tfserving-operator",
    "app.kubernetes.io/instance": "tfserving-operator",
}
MODEL = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY, constants.LABEL_NAME: "resnet"}
CLIENT = {"app": "shop"}
GRPC_CLIENT = {"may-use-grpc": "true"}
DNS = {"k8s-app": "kube-dns"}
API_SERVER = "10.96.0.1"
ELSEWHERE = "192.0.2.7"

VALUES = {
    "networkPolicies.enabled": True,
    "networkPolicies.models.namespaces": ["vision", "speech"],
}
STRICT = {
    **VALUES,
    "networkPolicies.operator.apiServerCIDRs": [f"{API_SERVER}/32"],
    "networkPolicies.operator.metricsFrom": [],
    "networkPolicies.models.restFrom": [],
}
OPENED = {
    **VALUES,
    "networkPolicies.models.grpcFrom": [{"podSelector": {"matchLabels": GRPC_CLIENT}}],
    "networkPolicies.models.restFrom": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}, "podSelector": {}},
        {"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.66/32"]}},
    ],
    "networkPolicies.models.egress": [
        {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    ],
}
CHOSEN = {"networkPolicies.enabled": True, "watchNamespaces": ["vision"]}


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: dict[str, str]
    namespace_name: str = ""
    """The label of the namespace, where it is not the namespace's name."""

    def peer(self) -> dict[str, Any]:
        name = self.namespace_name or self.namespace
        inside = {
            "Namespace": self.namespace,
            "NamespaceLabels": {"kubernetes.io/metadata.name": name},
            "PodLabels": self.labels,
        }
        return {"Internal": inside, "IP": "10.244.0.9"}


@dataclass(frozen=True)
class Address:
    ip: str

    def peer(self) -> dict[str, Any]:
        return {"IP": self.ip}


operator = Pod("system", OPERATOR)
model = Pod("vision", MODEL)
other_model = Pod("speech", MODEL)
client = Pod("vision", CLIENT)
stranger = Pod("web", CLIENT)
prometheus = Pod("monitoring", {"app": "prometheus"})
dns = Pod("kube-system", DNS)
pretender = Pod("vision", OPERATOR)
"""Carries the operator's labels in a namespace of a tenant."""
neighbour = Pod("system", CLIENT)
candidate = Pod("vision", {**MODEL, constants.LABEL_REVISION: "resnet-a2"})
other_revision = Pod("vision", {**MODEL, constants.LABEL_NAME: "bert"})
"""Of another ModelDeployment in the same namespace, with a policy of its own."""
neighbours_model = other_revision
unlisted_model = Pod("lab", MODEL)
"""In a namespace that has no policy."""

Flow = tuple[str, Pod | Address, Pod | Address, int, str, bool]

DEFAULT_FLOWS: list[Flow] = [
    ("the operator asks the API server's Service", operator, Address(API_SERVER), 443, "TCP", True),
    ("the operator asks the API server itself", operator, Address(ELSEWHERE), 6443, "TCP", True),
    ("the operator looks names up", operator, dns, 53, "UDP", True),
    ("the operator looks long names up", operator, dns, 53, "TCP", True),
    ("the operator asks another pod on the port of DNS", operator, client, 53, "UDP", False),
    ("the operator tests a model by REST", operator, model, 8501, "TCP", True),
    ("the operator tests a model in another namespace", operator, other_model, 8501, "TCP", True),
    ("the operator tests a model where no policy is", operator, unlisted_model, 8501, "TCP", True),
    ("the operator has no use for gRPC", operator, model, 8500, "TCP", False),
    ("the operator speaks to no other pod", operator, client, 8501, "TCP", False),
    ("the operator speaks to no other pod of its namespace", operator, neighbour, 8080, "TCP", False),
    ("the operator sends nothing out", operator, Address(ELSEWHERE), 80, "TCP", False),
    ("the operator sends no UDP out", operator, Address(ELSEWHERE), 443, "UDP", False),
    ("Prometheus reads the operator's metrics", prometheus, operator, 8080, "TCP", True),
    ("Prometheus has no other port of the operator", prometheus, operator, 8443, "TCP", False),
    ("a tenant reads the operator's metrics", client, operator, 8080, "TCP", False),
    ("a neighbour reads the operator's metrics", neighbour, operator, 8080, "TCP", False),
    ("a model reaches the operator", model, operator, 8080, "TCP", False),
    ("somebody outside reads the operator's metrics", Address(ELSEWHERE), operator, 8080, "TCP", False),
    ("a client of the namespace predicts by REST", client, model, 8501, "TCP", True),
    ("a client of the namespace uses gRPC", client, model, 8500, "TCP", False),
    ("a client of the namespace tries another port", client, model, 22, "TCP", False),
    ("a client of the namespace tries REST's port by UDP", client, model, 8501, "UDP", False),
    ("a client of another namespace predicts by REST", stranger, model, 8501, "TCP", False),
    ("a client of another namespace uses gRPC", stranger, model, 8500, "TCP", False),
    ("somebody outside predicts by REST", Address(ELSEWHERE), model, 8501, "TCP", False),
    ("somebody outside reloads the configuration", Address(ELSEWHERE), model, 8500, "TCP", False),
    ("a pod with the operator's labels elsewhere predicts", Pod("web", OPERATOR), model, 8501, "TCP", False),
    ("a pod with the operator's labels reloads", pretender, model, 8500, "TCP", False),
    ("a model of another namespace predicts", other_model, model, 8501, "TCP", False),
    ("a model asks another model of its namespace", model, Pod("vision", MODEL), 8501, "TCP", False),
    ("a model asks the API server", model, Address(API_SERVER), 443, "TCP", False),
    ("a model looks names up", model, dns, 53, "UDP", False),
    ("a model sends data out", model, Address(ELSEWHERE), 443, "TCP", False),
    ("a model asks the cloud's metadata", model, Address("169.254.169.254"), 80, "TCP", False),
    ("a model calls its client back", model, client, 8080, "TCP", False),
    ("pods that are none of ours are left alone", client, stranger, 80, "TCP", True),
]
STRICT_FLOWS: list[Flow] = [
    ("the operator asks the API server", operator, Address(API_SERVER), 443, "TCP", True),
    ("the operator asks another address on its port", operator, Address(ELSEWHERE), 6443, "TCP", False),
    ("nobody reads the metrics", prometheus, operator, 8080, "TCP", False),
    ("nobody predicts by REST", client, model, 8501, "TCP", False),
    ("the operator tests all the same", operator, model, 8501, "TCP", True),
    ("nobody uses gRPC", client, model, 8500, "TCP", False),
]
OPENED_FLOWS: list[Flow] = [
    ("a chosen client uses gRPC", Pod("vision", GRPC_CLIENT), model, 8500, "TCP", True),
    ("its namesake elsewhere does not", Pod("web", GRPC_CLIENT), model, 8500, "TCP", False),
    ("a client without the label does not", client, model, 8500, "TCP", False),
    ("a chosen namespace predicts by REST", stranger, model, 8501, "TCP", True),
    ("the model's own namespace does so no more", client, model, 8501, "TCP", False),
    ("a namespace that only calls itself so does not", Pod("web", CLIENT, "web2"), model, 8501, "TCP", False),
    ("chosen addresses predict by REST", Address("198.51.100.3"), model, 8501, "TCP", True),
    ("but for the exception", Address("198.51.100.66"), model, 8501, "TCP", False),
    ("chosen addresses do not reload", Address("198.51.100.3"), model, 8500, "TCP", False),
    ("a model sends to where it may", model, Address("203.0.113.5"), 443, "TCP", True),
    ("and by no other port", model, Address("203.0.113.5"), 80, "TCP", False),
]
CHOSEN_FLOWS: list[Flow] = [
    ("the operator tests where it watches", operator, model, 8501, "TCP", True),
    ("and nowhere else", operator, unlisted_model, 8501, "TCP", False),
    ("a namespace that is watched has the models' policy", client, model, 8500, "TCP", False),
]
ASKED_FLOWS: list[Flow] = [
    ("the API server asks the webhook", Address(API_SERVER), operator, 9443, "TCP", True),
    ("nobody else does", client, operator, 9443, "TCP", False),
    ("nor from elsewhere", Address(ELSEWHERE), operator, 9443, "TCP", False),
    ("the API server reads no metrics", Address(API_SERVER), operator, 8080, "TCP", False),
]
MADE = {
    "networkPolicies.models.byOperator": True,
    "networkPolicies.models.grpcFrom": [{"podSelector": {"matchLabels": GRPC_CLIENT}}],
}
"""What the operator makes for the ModelDeployment resnet of namespace vision, with these values of the chart."""
MADE_FLOWS: list[Flow] = [
    ("the operator tests a model by REST", operator, model, 8501, "TCP", True),
    ("the operator has no use for gRPC", operator, model, 8500, "TCP", False),
    ("a client of the namespace predicts by REST", client, model, 8501, "TCP", True),
    ("a chosen client predicts by REST", Pod("vision", GRPC_CLIENT), model, 8501, "TCP", True),
    ("another model of the namespace predicts by REST", other_revision, model, 8501, "TCP", True),
    ("a client of another namespace predicts by REST", stranger, model, 8501, "TCP", False),
    ("a pod with the operator's labels elsewhere predicts", Pod("web", OPERATOR), model, 8501, "TCP", False),
    ("a pod with the operator's labels in its namespace", pretender, model, 8501, "TCP", True),
    ("a neighbour of the operator predicts", neighbour, model, 8501, "TCP", False),
    ("somebody outside predicts by REST", Address(ELSEWHERE), model, 8501, "TCP", False),
    ("Prometheus, who is not named, reads the metrics", prometheus, model, 8501, "TCP", False),
    ("a client reloads the configuration", client, model, 8500, "TCP", False),
    ("a client of another namespace reloads", stranger, model, 8500, "TCP", False),
    ("a pod with the operator's labels reloads", pretender, model, 8500, "TCP", False),
    ("somebody outside reloads", Address(ELSEWHERE), model, 8500, "TCP", False),
    ("a chosen client uses gRPC", Pod("vision", GRPC_CLIENT), model, 8500, "TCP", True),
    ("its namesake elsewhere does not", Pod("web", GRPC_CLIENT), model, 8500, "TCP", False),
    ("a chosen client tries another port", Pod("vision", GRPC_CLIENT), model, 22, "TCP", False),
    ("a client tries REST's port by UDP", client, model, 8501, "UDP", False),
    ("a candidate is closed before it is promoted", client, candidate, 8500, "TCP", False),
    ("a candidate is tested", operator, candidate, 8501, "TCP", True),
    ("a model asks the API server", model, Address(API_SERVER), 443, "TCP", False),
    ("a model looks names up", model, dns, 53, "UDP", False),
    ("a model sends data out", model, Address(ELSEWHERE), 443, "TCP", False),
    ("a model asks the cloud's metadata", model, Address("169.254.169.254"), 80, "TCP", False),
    ("a model calls its client back", model, client, 8080, "TCP", False),
    ("a model asks another model", model, other_model, 8501, "TCP", False),
    ("the policy is this model's alone", client, neighbours_model, 8500, "TCP", True),
    ("a model of another namespace has its own", client, other_model, 8500, "TCP", True),
    ("pods of the namespace that are no models are left alone", stranger, client, 80, "TCP", True),
    ("the operator's own pods are left alone", client, operator, 8080, "TCP", True),
    ("clients may go where they like", client, Address(ELSEWHERE), 443, "TCP", True),
]
MADE_OPENED = {
    "networkPolicies.models.byOperator": True,
    "networkPolicies.models.restFrom": [
        {"podSelector": {"matchLabels": CLIENT}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
    ],
    "networkPolicies.models.egress": OPENED["networkPolicies.models.egress"],
}
MADE_OPENED_FLOWS: list[Flow] = [
    ("Prometheus reads the metrics", prometheus, model, 8501, "TCP", True),
    ("and reloads nothing", prometheus, model, 8500, "TCP", False),
    ("a chosen client predicts", client, model, 8501, "TCP", True),
    ("the operator tests all the same", operator, model, 8501, "TCP", True),
    ("another pod of the namespace does not predict", Pod("vision", {"app": "x"}), model, 8501, "TCP", False),
    ("nobody uses gRPC", client, model, 8500, "TCP", False),
    ("a model sends to where it may", model, Address("203.0.113.5"), 443, "TCP", True),
    ("and nowhere else", model, Address(ELSEWHERE), 443, "TCP", False),
]
MADE_TABLE = [("made", MADE, MADE_FLOWS), ("made and opened", MADE_OPENED, MADE_OPENED_FLOWS)]
TABLE = [
    ("with the webhook", {**STRICT, "webhook.enabled": True}, ASKED_FLOWS),
    ("default", VALUES, DEFAULT_FLOWS),
    ("strict", STRICT, STRICT_FLOWS),
    ("opened", OPENED, OPENED_FLOWS),
    ("chosen namespaces", CHOSEN, CHOSEN_FLOWS),
]
