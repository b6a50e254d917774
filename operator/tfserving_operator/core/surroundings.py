"""What the operator sees of a namespace's and the cluster's limits: projections of objects that are not ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from tfserving_operator.core import observed, quantities

Raw = Mapping[str, Any]
Amounts = Mapping[str, Fraction]
"""By the resource's name; a quantity that cannot be read is left out."""


def _amounts(raw: Raw | None) -> dict[str, Fraction]:
    texts = {str(name): str(text) for name, text in (raw or {}).items()}
    return {n: quantities.parse_quantity(t) for n, t in texts.items() if quantities.is_quantity(t)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceQuota:
    """What a namespace may use in all, and uses."""

    meta: observed.ObjectMeta
    hard: Amounts
    used: Amounts
    scopes: tuple[str, ...] = ()
    """Kinds of pods that it counts; all must hold."""
    priority_classes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(operator, values) of the scope selector over priority classes."""
    is_understood: bool = True
    """Whether its scopes are all known here; one that is not is left to the API server."""


_SCOPES: Final = frozenset({"Terminating", "NotTerminating", "BestEffort", "NotBestEffort"})


def resource_quota_from_raw(raw: Raw) -> ResourceQuota:
    """The projection of a ResourceQuota."""
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    scopes = [str(scope) for scope in spec.get("scopes") or ()]
    classes: list[tuple[str, tuple[str, ...]]] = []
    for term in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        if term.get("scopeName") == "PriorityClass":
            classes.append((str(term["operator"]), tuple(term.get("values") or ())))
        else:
            scopes.append(str(term.get("scopeName", "")))
    return ResourceQuota(
        meta=observed.meta_from_raw(raw),
        hard=_amounts(status.get("hard") or spec.get("hard")),
        used=_amounts(status.get("used")),
        scopes=tuple(scopes),
        priority_classes=tuple(classes),
        is_understood=set(scopes) <= _SCOPES,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitRangeItem:
    """One rule of a LimitRange."""

    type: str
    """Container, Pod or PersistentVolumeClaim."""
    least: Amounts
    most: Amounts
    default: Amounts
    """Limits of containers that name none."""
    default_request: Amounts
    max_ratio: Amounts
    """Of limit to request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitRange:
    """What one container or pod of a namespace may ask for."""

    meta: observed.ObjectMeta
    items: tuple[LimitRangeItem, ...]


def limit_range_from_raw(raw: Raw) -> LimitRange:
    """The projection of a LimitRange."""
    return LimitRange(
        meta=observed.meta_from_raw(raw),
        items=tuple(
            LimitRangeItem(
                type=str(item.get("type", "")),
                least=_amounts(item.get("min")),
                most=_amounts(item.get("max")),
                default=_amounts(item.get("default")),
                default_request=_amounts(item.get("defaultRequest")),
                max_ratio=_amounts(item.get("maxLimitRequestRatio")),
            )
            for item in (raw.get("spec") or {}).get("limits") or ()
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """How much one pod could have of a node, and which pods it takes."""

    meta: observed.ObjectMeta
    allocatable: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    """Those that keep pods off; a cordoned node has one too."""


_KEEPS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})


def node_from_raw(raw: Raw) -> Node:
    """The projection of a Node."""
    taints = (
        Taint(key=str(t.get("key", "")), value=str(t.get("value", "")), effect=str(t.get("effect", "")))
        for t in (raw.get("spec") or {}).get("taints") or ()
    )
    return Node(
        meta=observed.meta_from_raw(raw),
        allocatable=_amounts((raw.get("status") or {}).get("allocatable")),
        labels=dict(raw["metadata"].get("labels") or {}),
        taints=tuple(taint for taint in taints if taint.effect in _KEEPS_OFF),
    )
