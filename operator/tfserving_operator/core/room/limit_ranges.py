"""What LimitRanges allow one container and one pod."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from tfserving_operator.core import surroundings
from tfserving_operator.core.room import needs

_WHAT: Final = {"Container": "a container", "Pod": "a pod"}


def problems(pod: needs.PodNeeds, limit_ranges: Iterable[surroundings.LimitRange]) -> Iterator[str]:
    """Say which rule the API server would refuse the pod for."""
    for each in limit_ranges:
        for item in each.items:
            for whose, asked in _judged(pod, item.type):
                yield from _broken(f"LimitRange {each.meta.name}", item, whose, asked)


def _judged(pod: needs.PodNeeds, kind: str) -> tuple[tuple[str, needs.Needs], ...]:
    match kind:
        case "Container":
            return ("spec.resources", pod.server), ("the inspect container", pod.inspect)
        case "Pod":
            return (("the pod", pod.pod),)
        case _:
            return ()


def _broken(named: str, item: surroundings.LimitRangeItem, whose: str, asked: needs.Needs) -> Iterator[str]:
    for name, most in item.most.items():
        limit = asked.limits.get(name)
        if limit is None:
            yield f"{named} bounds {name} for {_WHAT[item.type]}, and {whose} has no limit of {name}: add one"
        elif limit > most:
            bound, has = needs.written(name, most), needs.written(name, limit)
            yield f"{named} allows at most {bound} of {name} for {_WHAT[item.type]}, and {whose} has a limit of {has}"
    for name, least in item.least.items():
        request = asked.requests.get(name)
        if request is not None and request < least:
            bound, has = needs.written(name, least), needs.written(name, request)
            yield f"{named} asks for at least {bound} of {name} for {_WHAT[item.type]}, and {whose} requests {has}"
    yield from _ratios(named, item.max_ratio, whose, asked)


def _ratios(named: str, ratios: Mapping[str, Fraction], whose: str, asked: needs.Needs) -> Iterator[str]:
    for name, most in ratios.items():
        limit, request = asked.limits.get(name), asked.requests.get(name)
        if limit and request and limit / request > most:
            yield (
                f"{named} allows a {name} limit of {float(most):g} times the request, and that of {whose} is "
                f"{float(limit / request):.3g} times: raise the request or lower the limit"
            )
