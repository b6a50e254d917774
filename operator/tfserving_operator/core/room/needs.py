"""What one pod of a revision asks for, as the API server and the scheduler count it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tfserving_operator.api import types
from tfserving_operator.core import quantities, surroundings, workloads

BYTES: Final = frozenset({"memory", "ephemeral-storage", "storage"})
"""Resources that are counted in bytes, as are huge pages of each size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """Requests and limits by resource."""

    requests: Mapping[str, Fraction]
    limits: Mapping[str, Fraction]


@dataclass(frozen=True, kw_only=True, slots=True)
class PodNeeds:
    """Of the containers, and of the pod as a whole."""

    server: Needs
    inspect: Needs
    pod: Needs
    """For each resource the larger one: the inspector ends before the server starts."""


def of_pod(spec: types.Spec, limit_ranges: Iterable[surroundings.LimitRange]) -> PodNeeds:
    """Count a pod, with the defaults that the namespace's LimitRanges fill in for each of its containers."""
    items = [item for each in limit_ranges for item in each.items if item.type == "Container"]
    server = _filled(_parsed(spec.resources.requests), _parsed(spec.resources.limits), items)
    fixed = _parsed(workloads.INSPECT_RESOURCES)
    inspect = _filled(fixed, fixed, items)
    pod = Needs(
        requests=_larger(server.requests, inspect.requests), limits=_larger(server.limits, inspect.limits)
    )
    return PodNeeds(server=server, inspect=inspect, pod=pod)


def _filled(
    requests: Mapping[str, Fraction],
    limits: Mapping[str, Fraction],
    items: Iterable[surroundings.LimitRangeItem],
) -> Needs:
    for item in items:
        limits = {**item.default, **limits}
        requests = {**item.default_request, **requests}
    return Needs(requests={**limits, **requests}, limits=limits)


def _parsed(texts: Mapping[str, str]) -> dict[str, Fraction]:
    return {n: quantities.parse_quantity(t) for n, t in texts.items() if quantities.is_quantity(t)}


def _larger(left: Mapping[str, Fraction], right: Mapping[str, Fraction]) -> dict[str, Fraction]:
    names = left.keys() | right.keys()
    return {name: max(left.get(name, Fraction(0)), right.get(name, Fraction(0))) for name in names}


def written(name: str, amount: Fraction) -> str:
    """An amount as a person would write it: 2Gi, 500m, 3."""
    plain = name.removeprefix("requests.").removeprefix("limits.")
    if plain in BYTES or plain.startswith("hugepages-"):
        return quantities.format_bytes(int(amount))
    return str(int(amount)) if amount.denominator == 1 else f"{int(amount * 1000)}m"
