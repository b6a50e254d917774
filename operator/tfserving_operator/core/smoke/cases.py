"""Smoke cases: what is sent to a model, and what is expected back.

Cases come from the spec and from ConfigMaps; `casefiles` reads the latter. Whatever a case's source, its
canonical form is the same JSON, so that a digest stands for a smoke input and a pinned input can be read back.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import casefiles, generator

DEFAULT_RTOL: Final = 1e-3
DEFAULT_ATOL: Final = 1e-5
MAX_CANONICAL_BYTES: Final = 1_000_000
"""All cases together are pinned in one ConfigMap, which etcd bounds at 1 MiB."""
_FORMAT: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")
_NAME_CHARACTERS: Final = 63
_CASE_FIELDS: Final = ("name", "instances", "inputs", "expect")
_EXPECT_FIELDS: Final = ("outputs", "topK", "rtol", "atol")
_TOP_K_FIELDS: Final = ("output", "k", "classes")


class InvalidCases(ValueError):  # noqa: N818 - it names what is wrong, like a NameError
    """The smoke cases cannot be used; the message names source, case and field, and what to write instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopK:
    """For wide outputs: the `k` classes with the highest values, for each row."""

    output: str
    k: int
    classes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expect:
    """The golden answer to a case."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    """By the output's name: nested lists, batch first."""
    top_k: TopK | None = None
    rtol: float = DEFAULT_RTOL
    atol: float = DEFAULT_ATOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One or more rows that are sent to the predict API as they stand: either `instances` or `inputs`."""

    name: str
    instances: Sequence[Any] | None = None
    inputs: Any = None
    expect: Expect | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """The rows as the predict API takes them, without the signature's name."""
        return {"instances": self.instances} if self.instances is not None else {"inputs": self.inputs}


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedCases:
    """A smoke input. Without cases, inputs are made from the model's signature."""

    cases: tuple[Case, ...]
    digest: str
    """`sha256:<hex>` of the canonical form, or of the generator's version for made inputs."""
    canonical: bytes
    """JSON; b"" for made inputs."""


MADE: Final = ResolvedCases(
    cases=(), digest=f"sha256:{hashlib.sha256(generator.VERSION.encode()).hexdigest()}", canonical=b""
)
"""No cases: inputs are made from the signature."""


def resolve(inline: Sequence[Mapping[str, Any]], documents: Sequence[tuple[str, str]] = ()) -> ResolvedCases:
    """Read the cases of a spec.

    Parameters
    ----------
    inline
        `spec.smoke.cases`.
    documents
        (source, text) pairs, such as ("configmap goldens key cases.json", "[…]"): lists of cases as JSON or YAML.
        Reading a megabyte of YAML takes a second: call this off the event loop when there are any.

    Raises
    ------
    InvalidCases
        When a case cannot be used.
    """
    found = [parse_case(raw, f"smoke.cases[{i}]") for i, raw in enumerate(inline)]
    for source, text in documents:
        try:
            listed = casefiles.parse_list(text)
        except casefiles.InvalidDocumentError as error:
            raise InvalidCases(f"{source}: {error}") from error
        found += [parse_case(raw, f"{source}: case {i + 1}") for i, raw in enumerate(listed)]
    return _resolved(found)


def from_pinned(canonical: bytes) -> ResolvedCases:
    """Read back what `ResolvedCases.canonical` held; b"" stands for made inputs."""
    if not canonical:
        return MADE
    try:
        raw = json.loads(canonical)
        if raw["format"] != _FORMAT:
            raise InvalidCases(f"pinned cases: format {raw['format']} is not known to this operator")
        return _resolved([parse_case(case, "pinned cases") for case in raw["cases"]])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidCases(f"pinned cases cannot be read: {error}") from error


def _resolved(found: Sequence[Case]) -> ResolvedCases:
    if not found:
        return MADE
    names: set[str] = set()
    for case in found:
        if case.name in names:
            raise InvalidCases(f'two smoke cases have the name "{case.name}": give each its own')
        names.add(case.name)
    body = {"format": _FORMAT, "cases": [_canonical_case(case) for case in found]}
    try:
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCases(
            f"the smoke cases cannot be written as JSON: {error}; use numbers, strings and lists"
        ) from None
    if len(canonical) > MAX_CANONICAL_BYTES:
        raise InvalidCases(
            f"the smoke cases come to {len(canonical)} bytes of JSON, more than the {MAX_CANONICAL_BYTES} that can be"
            " pinned: use fewer rows, or fewer digits"
        )
    return ResolvedCases(
        cases=tuple(found), digest=f"sha256:{hashlib.sha256(canonical).hexdigest()}", canonical=canonical
    )


def _canonical_case(case: Case) -> dict[str, Any]:
    raw: dict[str, Any] = {"name": case.name, **case.payload}
    if case.expect:
        raw["expect"] = {"rtol": case.expect.rtol, "atol": case.expect.atol}
        if case.expect.outputs:
            raw["expect"]["outputs"] = case.expect.outputs
        if top_k := case.expect.top_k:
            raw["expect"]["topK"] = {"output": top_k.output, "k": top_k.k, "classes": top_k.classes}
    return raw


def parse_case(raw: Any, where: str) -> Case:
    """Read one case; None counts as absent, so that a dumped model can be given."""
    fields = _fields(raw, _CASE_FIELDS, where)
    name = fields.get("name")
    if not isinstance(name, str) or len(name) > _NAME_CHARACTERS or not _NAME.fullmatch(name):
        raise InvalidCases(
            f"{where}: name must be letters, digits, '-', '_' and '.', at most {_NAME_CHARACTERS}, such as cat-1;"
            f" it is {_shown(name)}"
        )
    where = f'{where} ("{name}")'
    instances, inputs = fields.get("instances"), fields.get("inputs")
    if (instances is None) == (inputs is None):
        raise InvalidCases(
            f"{where}: write either instances (a list of rows) or inputs (values by input name)"
        )
    if instances is not None and (not isinstance(instances, list | tuple) or not instances):
        raise InvalidCases(
            f"{where}: instances must be a list with one entry for each row, such as [[0.1, 0.2]]"
        )
    if inputs is not None and isinstance(inputs, Mapping | list | tuple) and not inputs:
        raise InvalidCases(f"{where}: inputs is empty; write each input's values by its name, batch first")
    expect = _parse_expect(fields["expect"], where, instances) if fields.get("expect") is not None else None
    return Case(name=name, instances=instances, inputs=inputs, expect=expect)


def _parse_expect(raw: Any, where: str, instances: Sequence[Any] | None) -> Expect:
    where = f"{where}: expect"
    fields = _fields(raw, _EXPECT_FIELDS, where)
    outputs = fields.get("outputs") or {}
    if not isinstance(outputs, Mapping):
        raise InvalidCases(
            f"{where}.outputs must be values by output name, such as {{probabilities: [[0.9, 0.1]]}}"
        )
    for name, values in outputs.items():
        _check_golden(values, f"{where}.outputs.{name}", instances)
    top_k = (
        _parse_top_k(fields["topK"], f"{where}.topK", instances) if fields.get("topK") is not None else None
    )
    if not outputs and top_k is None:
        raise InvalidCases(f"{where}: write outputs (values by output name) or topK, or leave expect out")
    tolerances = {key: _tolerance(fields[key], f"{where}.{key}") for key in ("rtol", "atol") if key in fields}
    return Expect(outputs={str(k): v for k, v in outputs.items()}, top_k=top_k, **tolerances)


def _check_golden(values: Any, where: str, instances: Sequence[Any] | None) -> None:
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidCases(f"{where}: its rows differ in length; an output is a rectangular list") from None
    if array.dtype.kind not in "fiubU" or array.ndim == 0:
        raise InvalidCases(f"{where} must be a list of numbers, booleans or strings, batch first")
    if array.dtype.kind == "U" and any(
        isinstance(leaf, float) for leaf in np.asarray(values, dtype=object).flat
    ):
        raise InvalidCases(f"{where} mixes numbers and strings")
    _check_rows(len(array), where, instances)


def _check_rows(count: int, where: str, instances: Sequence[Any] | None) -> None:
    if instances is not None and count != len(instances):
        raise InvalidCases(
            f"{where} has {count} rows for {len(instances)} instances: give one for each, batch first"
        )


def _parse_top_k(raw: Any, where: str, instances: Sequence[Any] | None) -> TopK:
    fields = _fields(raw, _TOP_K_FIELDS, where)
    output, k, classes = fields.get("output"), fields.get("k"), fields.get("classes")
    if not isinstance(output, str) or not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise InvalidCases(f"{where}: write {{output: NAME, k: 3, classes: [[5, 1, 7]]}} with k at least 1")
    rows = classes if isinstance(classes, list | tuple) else ()
    if not rows or any(not _is_class_row(row, k) for row in rows):
        raise InvalidCases(f"{where}.classes must hold, for each row, a list of {k} different class numbers")
    _check_rows(len(rows), f"{where}.classes", instances)
    return TopK(output=output, k=k, classes=tuple(tuple(row) for row in rows))


def _is_class_row(row: Any, k: int) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == k
        and all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in row)
        and len(set(row)) == k
    )


def _tolerance(value: Any, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise InvalidCases(
            f"{where} must be a number that is not negative, such as 0.001; it is {_shown(value)}"
        )
    return float(value)


def _fields(raw: Any, known: Sequence[str], where: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise InvalidCases(f"{where} is {_shown(raw)}; write a mapping with {', '.join(known)}")
    for key in raw:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise InvalidCases(f"{where}: unknown field {_shown(key)}; {hint}")
    return {key: value for key, value in raw.items() if value is not None}


def _shown(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise it
