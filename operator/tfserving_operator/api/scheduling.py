"""Where pods may run: Kubernetes' own shapes, closed and bounded."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tfserving_operator.api.bounds import Int32, Int64, LabelKey, Labels, LabelValue, SpecModel, Text

Weight = Annotated[Int32, Field(ge=1, le=100)]


class SelectorOperator(StrEnum):
    """How a label requirement compares."""

    In = "In"
    """means the label has one of the values"""
    NotIn = "NotIn"
    """means the label has none of the values"""
    Exists = "Exists"
    """means the label is there"""
    DoesNotExist = "DoesNotExist"
    """means the label is not there"""


class NodeOperator(StrEnum):
    """How a node requirement compares."""

    In = "In"
    """means the label has one of the values"""
    NotIn = "NotIn"
    """means the label has none of the values"""
    Exists = "Exists"
    """means the label is there"""
    DoesNotExist = "DoesNotExist"
    """means the label is not there"""
    Gt = "Gt"
    """means the label is a number greater than the value"""
    Lt = "Lt"
    """means the label is a number less than the value"""


class LabelRequirement(SpecModel):
    """One requirement on a pod's or namespace's labels."""

    key: LabelKey
    operator: SelectorOperator
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()


class LabelSelector(SpecModel):
    """Selects pods or namespaces; all of its parts must hold."""

    match_labels: Labels = Field(default_factory=dict)
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=32)] = ()


class NodeRequirement(SpecModel):
    """One requirement on a node."""

    key: LabelKey
    operator: NodeOperator
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64)] = ()


class NodeSelectorTerm(SpecModel):
    """Requirements on a node that must all hold."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=32)] = ()
    match_fields: Annotated[tuple[NodeRequirement, ...], Field(max_length=8)] = ()


class NodeSelector(SpecModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], Field(min_length=1, max_length=32)]


class PreferredNodeTerm(SpecModel):
    """A term that a node is preferred for."""

    weight: Weight
    preference: NodeSelectorTerm


class NodeAffinity(SpecModel):
    """Which nodes pods need or prefer."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodeTerm, ...], Field(max_length=32)
    ] = ()


class PodAffinityTerm(SpecModel):
    """Pods to be near to, or away from, and what counts as near."""

    topology_key: LabelKey
    label_selector: LabelSelector | None = None
    namespaces: Annotated[tuple[Text, ...], Field(max_length=32)] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: Annotated[tuple[LabelKey, ...], Field(max_length=16)] = ()
    mismatch_label_keys: Annotated[tuple[LabelKey, ...], Field(max_length=16)] = ()


class WeightedPodAffinityTerm(SpecModel):
    """A term that counts by its weight."""

    weight: Weight
    pod_affinity_term: PodAffinityTerm


class PodAffinity(SpecModel):
    """Pods that must, or should, be near or away."""

    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodAffinityTerm, ...], Field(max_length=32)
    ] = ()
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], Field(max_length=32)
    ] = ()


class Affinity(SpecModel):
    """Where pods need or prefer to run."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TolerationOperator(StrEnum):
    """How a toleration matches a taint."""

    Exists = "Exists"
    """means any value of the taint is tolerated"""
    Equal = "Equal"
    """means the taint has exactly this value"""


class TaintEffect(StrEnum):
    """The effect of a taint."""

    NoSchedule = "NoSchedule"
    """means no new pod is placed"""
    PreferNoSchedule = "PreferNoSchedule"
    """means new pods are placed elsewhere if possible"""
    NoExecute = "NoExecute"
    """means running pods are evicted too"""


class Toleration(SpecModel):
    """A taint that pods put up with."""

    key: Annotated[str, Field(max_length=317)] | None = None
    operator: TolerationOperator | None = None
    value: LabelValue | None = None
    effect: TaintEffect | None = None
    toleration_seconds: Int64 | None = None


class Unsatisfiable(StrEnum):
    """What happens to a pod that would break a spread constraint."""

    DoNotSchedule = "DoNotSchedule"
    """means it stays Pending"""
    ScheduleAnyway = "ScheduleAnyway"
    """means it is placed where the skew is least"""


class NodeInclusion(StrEnum):
    """Whether node affinity or taints count in a spread."""

    Honor = "Honor"
    """means nodes that the pod cannot run on are left out"""
    Ignore = "Ignore"
    """means all nodes are counted"""


class TopologySpreadConstraint(SpecModel):
    """How evenly pods are spread over zones, nodes or another topology."""

    max_skew: Annotated[Int32, Field(ge=1)]
    topology_key: LabelKey
    when_unsatisfiable: Unsatisfiable
    label_selector: LabelSelector | None = None
    min_domains: Annotated[Int32, Field(ge=1)] | None = None
    match_label_keys: Annotated[tuple[LabelKey, ...], Field(max_length=16)] = ()
    node_affinity_policy: NodeInclusion | None = None
    node_taints_policy: NodeInclusion | None = None
