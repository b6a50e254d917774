"""The part of a pod's template that users decide."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from tfserving_operator.api.bounds import (
    Annotations,
    Int64,
    Labels,
    ObjectName,
    SpecModel,
)
from tfserving_operator.api.scheduling import Affinity, Toleration, TopologySpreadConstraint

NONROOT: Final = 65532
"""User and group that model pods run as; any but 0 would do, since the image's files are world-readable."""


class SeccompType(StrEnum):
    """Which seccomp profile applies; those that Pod Security `restricted` permits."""

    RuntimeDefault = "RuntimeDefault"
    """means the container runtime's own profile"""
    Localhost = "Localhost"
    """means a file on the node, named in localhostProfile"""


class SeccompProfile(SpecModel):
    """The seccomp profile of model pods."""

    type: SeccompType = SeccompType.RuntimeDefault
    localhost_profile: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class GroupChangePolicy(StrEnum):
    """When the kubelet changes the group of a volume's files."""

    OnRootMismatch = "OnRootMismatch"
    """means only when the root of the volume has another group: fast on large models"""
    Always = "Always"
    """means at each mount"""


class GroupsPolicy(StrEnum):
    """Where the supplemental groups of a container come from."""

    Merge = "Merge"
    """means the image's /etc/group counts too"""
    Strict = "Strict"
    """means only the groups that are named here"""


class SecurityContext(SpecModel):
    """The pod's security context, as far as Pod Security `restricted` permits a choice."""

    nullable: ClassVar[frozenset[str]] = frozenset({"runAsUser", "runAsGroup", "fsGroup"})

    run_as_user: Annotated[Int64, Field(ge=1)] | None = NONROOT
    """User that the model server runs as; null leaves it to the image or to the platform."""
    run_as_group: Annotated[Int64, Field(ge=0)] | None = NONROOT
    """Group that the model server runs as; null leaves it to the image or to the platform."""
    fs_group: Annotated[Int64, Field(ge=0)] | None = NONROOT
    """Group that owns the files of volumes that support it; null leaves them as they are."""
    fs_group_change_policy: GroupChangePolicy = GroupChangePolicy.OnRootMismatch
    """When the group of a volume's files is changed."""
    supplemental_groups: Annotated[tuple[Annotated[Int64, Field(ge=0)], ...], Field(max_length=32)] = ()
    """Further groups, such as the one that may read a shared volume."""
    supplemental_groups_policy: GroupsPolicy | None = None
    """Where supplemental groups come from; Kubernetes' default is Merge."""
    seccomp_profile: SeccompProfile = SeccompProfile()
    """The seccomp profile."""


class ImagePullSecret(SpecModel):
    """A Secret with registry credentials."""

    name: ObjectName
    """Name of a Secret in the same namespace."""


class PodMetadata(SpecModel):
    """Metadata of model pods; ours cannot be overridden."""

    labels: Labels = Field(default_factory=dict)
    """Further labels of the pods."""
    annotations: Annotations = Field(default_factory=dict)
    """Further annotations of the pods."""


class PodSpec(SpecModel):
    """What users decide about model pods."""

    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Taints that the pods put up with."""
    affinity: Affinity | None = None
    """Where the pods need or prefer to run."""
    topology_spread_constraints: Annotated[tuple[TopologySpreadConstraint, ...], Field(max_length=16)] = ()
    """How evenly the pods are spread."""
    service_account_name: ObjectName | None = None
    """ServiceAccount of the pods, among those that the installation allows. Its token is mounted only when it is named here."""
    image_pull_secrets: Annotated[
        tuple[ImagePullSecret, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    """Secrets with registry credentials."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods, among those that the installation allows."""
    runtime_class_name: ObjectName | None = None
    """RuntimeClass of the pods, among those that the installation allows."""
    termination_grace_period_seconds: Annotated[Int64, Field(ge=5, le=3600)] = 30
    """How long a pod may take to end: at least the drain of the installation and 5 seconds more. Default 30."""
    security_context: SecurityContext = SecurityContext()
    """User, groups and seccomp profile."""


class PodTemplate(SpecModel):
    """The part of the pods' template that users decide."""

    metadata: PodMetadata = PodMetadata()
    """Further labels and annotations."""
    spec: PodSpec = PodSpec()
    """Where and as whom the pods run."""
