"""Rules for `spec.resources`: quantities that mean what they say."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from typing import Final

from tfserving_operator.api import reasons, rules
from tfserving_operator.core import quantities
from tfserving_operator.core.validation.violations import Severity, Subject, Violation

MIN_MEMORY: Final = quantities.parse_quantity(rules.MIN_MEMORY)

_CPU: Final = "cpu"
_MEMORY: Final = "memory"
_NATIVE: Final = (_CPU, _MEMORY, "ephemeral-storage")
_EXTENDED: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?",
    re.ASCII,
)
_HUGEPAGES: Final = "hugepages-"
_NUMBER_AND_UNIT: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", re.ASCII)
_DECIMAL: Final = re.compile(r"(?P<number>[1-9][0-9]*)(?P<unit>[MGTP])", re.ASCII)
_MEANT: Final = {"k": "Ki", "m": "Mi", "g": "Gi", "t": "Ti", "p": "Pi", "e": "Ei"}
"""By the first letter of a unit, the binary unit that is meant."""


def _violation(field: str, value: str, problem: str, remedy: str) -> Violation:
    return Violation(
        field=f"spec.resources.{field}",
        value=value,
        problem=problem,
        remedy=remedy,
        reason=reasons.Reason.InvalidResources,
    )


def _amounts(resources: Mapping[str, str]) -> dict[str, Fraction]:
    return {
        name: quantities.parse_quantity(text)
        for name, text in resources.items()
        if quantities.is_quantity(text)
    }


def _likely(name: str, text: str) -> str:
    """What was probably meant by a text that is no quantity."""
    form = _NUMBER_AND_UNIT.fullmatch(text)
    if form is None:
        return "500m or 2" if name == _CPU else "512Mi or 1Gi"
    number, unit = form.groups()
    if name == _CPU:
        return f"{number}m" if unit.lower().startswith("m") else number
    return number + _MEANT.get(unit[:1].lower(), "")


def _check_form(part: str, name: str, text: str) -> Iterator[Violation]:
    field = f"{part}.{name}"
    if not quantities.is_quantity(text):
        yield _violation(field, text, f'"{text}" is not a quantity', f"write {_likely(name, text)}")
        return
    amount = quantities.parse_quantity(text)
    if amount < 0:
        yield _violation(field, text, f"{text} is negative", f"write {text.lstrip('-')}")
    elif name == _MEMORY:
        yield from _check_memory(field, text, amount)
    elif name == _CPU and amount > rules.MAX_CPU:
        meant = f"{text}m" if text.isdecimal() else "500m or 2"
        yield _violation(field, text, f"{text} is {_count(amount)} cores", f"did you mean {meant}?")
    elif name not in _NATIVE and amount.denominator != 1:
        yield _violation(field, text, f"{text} of {name} is not a whole number", "write a whole number")


def _count(amount: Fraction) -> str:
    return str(int(amount)) if amount.denominator == 1 else f"{float(amount):g}"


def _check_memory(field: str, text: str, amount: Fraction) -> Iterator[Violation]:
    if amount >= MIN_MEMORY:
        yield from _check_decimal_unit(field, text, amount)
        return
    number = text.lstrip("+").rstrip("numkKMGTPEi")
    whole = number.isdecimal() and int(number) > 0
    if not whole:
        meant = "512Mi"
    elif text.endswith(("M", "Mi")):
        meant = f"{number}Gi"
    else:
        meant = f"{number}Mi" if int(number) * quantities.MI >= MIN_MEMORY else f"{number}Gi"
    if text.endswith("m") and amount < 1:
        size = "half a byte" if amount == Fraction(1, 2) else "less than a byte"
        yield _violation(field, text, f"{text} of memory is {size}: m means a thousandth", f"write {meant}")
    else:
        problem = (
            f"{text} of memory is {_count(amount)} bytes, less than 16Mi, in which no model server starts"
        )
        yield _violation(field, text, problem, f"did you mean {meant}?")


def _check_decimal_unit(field: str, text: str, amount: Fraction) -> Iterator[Violation]:
    """Tell of G where Gi is likelier: 1G is 7% less than 1Gi, and tools count in Gi."""
    form = _DECIMAL.fullmatch(text)
    if form is None:
        return
    meant = f"{form['number']}{form['unit']}i"
    missing = 1 - amount / quantities.parse_quantity(meant)
    violation = _violation(
        field,
        text,
        f"{text} is {_count(amount)} bytes, {float(missing):.0%} less than {meant}",
        f"did you mean {meant}?",
    )
    yield replace(violation, severity=Severity.Warning)


def _check_name(part: str, name: str) -> Iterator[Violation]:
    if name in _NATIVE or name.startswith(_HUGEPAGES) or _EXTENDED.fullmatch(name):
        return
    close = get_close_matches(name, _NATIVE, n=1)
    remedy = f"did you mean {close[0]}?" if close else "write cpu, memory, ephemeral-storage or DOMAIN/NAME"
    yield _violation(f"{part}.{name}", name, f"{name} is not a resource", remedy)


def _check_pair(
    name: str, request: str, limit: str, *, amounts: tuple[Fraction, Fraction]
) -> Iterator[Violation]:
    asked, most = amounts
    if asked > most:
        yield _violation(
            f"requests.{name}",
            request,
            f"the request {request} is greater than the limit {limit}",
            f"write at most {limit}, or raise limits.{name}",
        )
    elif asked != most and (name not in _NATIVE):
        yield _violation(
            f"requests.{name}",
            request,
            f"the request {request} is not the limit {limit}, and {name} cannot be overcommitted",
            f"write {limit}, or leave the request out",
        )


def check(subject: Subject) -> Iterator[Violation]:
    """What is wrong with the server's requests and limits."""
    resources = subject.spec.resources
    if _MEMORY not in resources.limits:
        yield _violation(
            "limits.memory", "", "is required", "without it one model can take the memory of the whole node"
        )
    for part, values in (("requests", resources.requests), ("limits", resources.limits)):
        for name, text in values.items():
            yield from _check_name(part, name)
            yield from _check_form(part, name, text)
    requests, limits = _amounts(resources.requests), _amounts(resources.limits)
    for name, request in requests.items():
        if name in limits:
            pair = resources.requests[name], resources.limits[name]
            yield from _check_pair(name, *pair, amounts=(request, limits[name]))
        elif name not in _NATIVE and name not in resources.limits:
            yield _violation(
                f"limits.{name}",
                "",
                f"{name} is requested without a limit, and cannot be overcommitted",
                f"write the limit {resources.requests[name]}",
            )
