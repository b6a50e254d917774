"""What ResourceQuotas leave: a revision runs beside the one that it replaces until its bake is over."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from tfserving_operator.api import types
from tfserving_operator.core import surroundings
from tfserving_operator.core.room import needs

_OBJECTS: Final = {"count/deployments.apps": 1, "count/replicasets.apps": 1}
"""What a revision adds, whatever its replicas. Its ConfigMap and the Service may be there already."""
_COMPUTE: Final = frozenset({"cpu", "memory", "ephemeral-storage"})


def problems(
    spec: types.Spec, pod: needs.PodNeeds, quotas: Iterable[surroundings.ResourceQuota]
) -> Iterator[str]:
    """Say which quota would refuse pods of the revision, and by how much it is short."""
    for quota in quotas:
        if not _counts(quota, spec):
            continue
        for name, hard in sorted(quota.hard.items()):
            asked = _asked(name, spec.replicas, pod.pod)
            if asked is None:
                continue
            if _must_be_named(name, pod.server):
                yield f"ResourceQuota {quota.meta.name} counts {name}, and spec.resources does not name it: add it"
                continue
            left = hard - quota.used.get(name, Fraction(0))
            if asked > left:
                yield _sentence(quota.meta.name, name, spec.replicas, asked, left)


def _sentence(quota: str, name: str, replicas: int, asked: Fraction, left: Fraction) -> str:
    pods = "1 pod" if replicas == 1 else f"{replicas} pods"
    short = needs.written(name, asked - max(left, Fraction(0)))
    return (
        f"ResourceQuota {quota} leaves {needs.written(name, max(left, Fraction(0)))} of {name}, and {pods} of this revision, "
        f"which run beside those of the active one, need {needs.written(name, asked)}: short by {short}"
    )


def _counts(quota: surroundings.ResourceQuota, spec: types.Spec) -> bool:
    """Whether the quota counts our pods: they never end by themselves, and always have a limit."""
    if not quota.is_understood or {"Terminating", "BestEffort"} & set(quota.scopes):
        return False
    return all(_selects(term, spec.template.spec.priority_class_name) for term in quota.priority_classes)


def _selects(term: tuple[str, tuple[str, ...]], priority_class: str | None) -> bool:
    match term:
        case ("In", values):
            return priority_class in values
        case ("NotIn", values):
            return priority_class not in values
        case ("Exists", _):
            return priority_class is not None
        case ("DoesNotExist", _):
            return priority_class is None
        case _:
            return False


def _asked(name: str, replicas: int, pod: needs.Needs) -> Fraction | None:
    """What the revision adds to a quota's count; None for what it does not touch."""
    if name in ("pods", "count/pods"):
        return Fraction(replicas)
    if name in _OBJECTS:
        return Fraction(_OBJECTS[name])
    part, _, resource = name.partition(".")
    if part == "limits" and resource:
        return replicas * pod.limits.get(resource, Fraction(0))
    if part == "requests" and resource and resource != "storage":
        return replicas * pod.requests.get(resource, Fraction(0))
    if name in _COMPUTE:
        return replicas * pod.requests.get(name, Fraction(0))
    return None


def _must_be_named(name: str, server: needs.Needs) -> bool:
    """Whether the container is refused because it leaves this out: each counted cpu and memory must be named."""
    part, _, resource = name.partition(".")
    named: Mapping[str, Fraction] = server.limits if part == "limits" else server.requests
    return (resource or name) in ("cpu", "memory") and (resource or name) not in named
