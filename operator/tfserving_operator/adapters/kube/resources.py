"""The kinds of objects that the operator speaks about, and their paths."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from tfserving_operator.api import constants


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One kind of the API."""

    kind: str
    plural: str
    api_version: str

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of one object, or of all in a namespace, or of all in the cluster when it is empty."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        parts = [root + self.api_version]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


MODEL_DEPLOYMENTS: Final = Resource(
    kind=constants.KIND, plural=constants.PLURAL, api_version=constants.API_VERSION
)
DEPLOYMENTS: Final = Resource(kind="Deployment", plural="deployments", api_version="apps/v1")
REPLICA_SETS: Final = Resource(kind="ReplicaSet", plural="replicasets", api_version="apps/v1")
PODS: Final = Resource(kind="Pod", plural="pods", api_version="v1")
SERVICES: Final = Resource(kind="Service", plural="services", api_version="v1")
CONFIG_MAPS: Final = Resource(kind="ConfigMap", plural="configmaps", api_version="v1")
CLAIMS: Final = Resource(kind="PersistentVolumeClaim", plural="persistentvolumeclaims", api_version="v1")
RESOURCE_QUOTAS: Final = Resource(kind="ResourceQuota", plural="resourcequotas", api_version="v1")
LIMIT_RANGES: Final = Resource(kind="LimitRange", plural="limitranges", api_version="v1")
NODES: Final = Resource(kind="Node", plural="nodes", api_version="v1")
SECRETS: Final = Resource(kind="Secret", plural="secrets", api_version="v1")
VALIDATING_WEBHOOKS: Final = Resource(
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    api_version="admissionregistration.k8s.io/v1",
)
BUDGETS: Final = Resource(kind="PodDisruptionBudget", plural="poddisruptionbudgets", api_version="policy/v1")
NETWORK_POLICIES: Final = Resource(
    kind="NetworkPolicy", plural="networkpolicies", api_version="networking.k8s.io/v1"
)
EVENTS: Final = Resource(kind="Event", plural="events", api_version="events.k8s.io/v1")
POD_METRICS: Final = Resource(kind="PodMetrics", plural="pods", api_version="metrics.k8s.io/v1beta1")
"""Served by another server, where there is one."""
LEASES: Final = Resource(kind="Lease", plural="leases", api_version="coordination.k8s.io/v1")

WRITTEN: Final[Mapping[str, Resource]] = MappingProxyType(
    {resource.kind: resource for resource in (DEPLOYMENTS, SERVICES, CONFIG_MAPS, BUDGETS, NETWORK_POLICIES)}
)
"""The kinds that a decision may create, patch and delete, by kind."""
