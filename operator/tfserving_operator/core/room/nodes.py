"""Whether any node is large enough for one pod of a revision."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from tfserving_operator.api import types
from tfserving_operator.core import surroundings
from tfserving_operator.core.room import needs


def problem(spec: types.Spec, pod: needs.PodNeeds, nodes: Iterable[surroundings.Node]) -> str:
    """Say what the largest node lacks; "" where one fits, or where none is known or admits the pod.

    A node pool that is scaled to zero has no node to be measured: that is left to the scheduler.
    """
    admitted = [node for node in nodes if admits(spec, node)]
    if not admitted or any(_fits(pod.pod.requests, node) for node in admitted):
        return ""
    for name, asked in sorted(pod.pod.requests.items()):
        best = max(admitted, key=lambda node: node.allocatable.get(name, Fraction(0)))
        has = best.allocatable.get(name, Fraction(0))
        if asked > has:
            return (
                f"a pod asks for {needs.written(name, asked)} of {name}, and {best.meta.name}, the node with the most of "
                f"those that its selectors and tolerations admit, has {needs.written(name, has)}: short by "
                f"{needs.written(name, asked - has)}"
            )
    asked_for = ", ".join(f"{needs.written(n, a)} of {n}" for n, a in sorted(pod.pod.requests.items()))
    return f"no node has {asked_for} at once: {len(admitted)} nodes admit the pod, each short of something"


def _fits(requests: Mapping[str, Fraction], node: surroundings.Node) -> bool:
    return all(node.allocatable.get(name, Fraction(0)) >= amount for name, amount in requests.items())


def admits(spec: types.Spec, node: surroundings.Node) -> bool:
    """Whether the pod's selectors, required node affinity and tolerations let it onto a node."""
    asked = spec.template.spec
    if any(node.labels.get(key) != value for key, value in asked.node_selector.items()):
        return False
    tolerations = [toleration.model_dump(mode="json", by_alias=True) for toleration in asked.tolerations]
    if any(not _is_tolerated(taint, tolerations) for taint in node.taints):
        return False
    affinity = asked.affinity.model_dump(mode="json", by_alias=True) if asked.affinity else {}
    required = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required or {}).get("nodeSelectorTerms") or ()
    return not terms or any(_matches(term, node) for term in terms)


def _is_tolerated(taint: surroundings.Taint, tolerations: Iterable[Mapping[str, Any]]) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") not in (None, "", taint.effect):
            continue
        key, value = toleration.get("key") or "", toleration.get("value") or ""
        if toleration.get("operator") == "Exists":
            if key in ("", taint.key):
                return True
        elif key == taint.key and value == taint.value:
            return True
    return False


def _matches(term: Mapping[str, Any], node: surroundings.Node) -> bool:
    labels = all(_holds(each, node.labels.get(each["key"])) for each in term.get("matchExpressions") or ())
    fields = all(_holds(each, node.meta.name) for each in term.get("matchFields") or ())
    return labels and fields


def _holds(expression: Mapping[str, Any], value: str | None) -> bool:
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _number(value) > _number(values[0]) if values and value is not None else False
        case "Lt":
            return _number(value) < _number(values[0]) if values and value is not None else False
        case _:
            return True


def _number(text: str | None) -> int:
    return int(text) if text and text.lstrip("-").isdecimal() else 0
