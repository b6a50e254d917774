"""Everything that a decision about one ModelDeployment is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfserving_operator.api import status, types
from tfserving_operator.core import companions, observed
from tfserving_operator.core import surroundings as around
from tfserving_operator.core.smoke import plans


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The ModelDeployment's own identity."""

    name: str
    namespace: str
    uid: str
    generation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """Who may reach model pods, as peers of a NetworkPolicy; nobody where there are none."""

    rest_from: tuple[Mapping[str, Any], ...] = ()
    """On the port of REST, the operator among them."""
    grpc_from: tuple[Mapping[str, Any], ...] = ()
    """On the port of gRPC, which also takes HandleReloadConfig."""
    egress: tuple[Mapping[str, Any], ...] = ()
    """Egress rules as they are written in a NetworkPolicy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the installation allows, and with which images it works."""

    inspect_image: str
    image_pull_policy: str = "IfNotPresent"
    allowed_images: tuple[str, ...] = ()
    """fnmatch patterns; empty allows any."""
    allowed_service_accounts: tuple[str, ...] = ("default",)
    allowed_priority_classes: tuple[str, ...] = ()
    allowed_runtime_classes: tuple[str, ...] = ()
    allowed_service_types: tuple[str, ...] = ("ClusterIP",)
    allowed_service_annotations: tuple[str, ...] = ()
    """fnmatch patterns of annotation keys."""
    drain_seconds: int = 5
    """How long a model pod goes on serving after its deletion began (preStop sleep)."""
    disruption_budgets: bool = True
    """Whether `spec.disruption` may ask for a PodDisruptionBudget."""
    network: Network | None = None
    """Of the NetworkPolicy that every ModelDeployment gets; None makes none."""
    operator_namespace: str = ""
    """Where we are, for messages; "" where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An action that the API server refused for good; kept until the object or its spec changes."""

    kind: str
    name: str
    code: int
    message: str
    name_taken: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What bounds a namespace's pods; what may not be seen is empty."""

    quotas: tuple[around.ResourceQuota, ...] = ()
    limit_ranges: tuple[around.LimitRange, ...] = ()
    nodes: tuple[around.Node, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What was gathered about one ModelDeployment, children of its UID only."""

    owner: Owner
    spec: types.Spec | None
    """None when it cannot be read; `spec_error` says why."""
    spec_error: str = ""
    status: status.Status
    policy: Policy
    deployments: Mapping[str, observed.Deployment] = field(default_factory=dict)
    """By revision name."""
    config_maps: Mapping[str, observed.ConfigMap] = field(default_factory=dict)
    """By name."""
    pods: Mapping[str, tuple[observed.Pod, ...]] = field(default_factory=dict)
    """By revision name; pods whose owner chain ends in our UID, oldest first."""
    service: observed.Service | None = None
    budget: companions.Companion | None = None
    """The PodDisruptionBudget."""
    network_policy: companions.Companion | None = None
    claim: observed.Claim | None = None
    """The PersistentVolumeClaim of `model.uri`, None when it is not there."""
    cases_versions: Mapping[str, str] = field(default_factory=dict)
    """resourceVersion of each labelled ConfigMap named in `smoke.casesFrom`, "" for unlabelled ones."""
    tests: Mapping[str, plans.TestState] = field(default_factory=dict)
    """By `TestRequest.key`."""
    peaks: Mapping[str, int] = field(default_factory=dict)
    """By revision name: the largest working set in bytes that was measured of one of its servers."""
    refusals: tuple[Refusal, ...] = ()
    surroundings: Surroundings = Surroundings()
