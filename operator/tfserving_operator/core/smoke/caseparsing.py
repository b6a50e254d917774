"""Cases as people write them, read and checked: every message names the place and what to write instead."""

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import images
from tfserving_operator.core.smoke.caseforms import Case, Expect, InvalidCases, TopK

_NAME: Final = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")
_NAME_CHARACTERS: Final = 63
_CASE_FIELDS: Final = ("name", "instances", "inputs", "images", "expect")
_EXPECT_FIELDS: Final = ("outputs", "topK", "rtol", "atol")
_TOP_K_FIELDS: Final = ("output", "k", "classes")


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
    files = images.parse(fields["images"], where) if "images" in fields else ()
    if (instances is not None) + (inputs is not None) + bool(files) != 1:
        raise InvalidCases(
            f"{where}: write either instances (a list of rows), inputs (values by input name) or images (files)"
        )
    if instances is not None and (not isinstance(instances, list | tuple) or not instances):
        raise InvalidCases(
            f"{where}: instances must be a list with one entry for each row, such as [[0.1, 0.2]]"
        )
    if inputs is not None and isinstance(inputs, Mapping | list | tuple) and not inputs:
        raise InvalidCases(f"{where}: inputs is empty; write each input's values by its name, batch first")
    expect = (
        _parse_expect(fields["expect"], where, files or instances)
        if fields.get("expect") is not None
        else None
    )
    return Case(name=name, instances=instances, inputs=inputs, images=files, expect=expect)


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
    if (
        array is not values
        and array.dtype.kind == "U"
        and any(isinstance(leaf, float) for leaf in np.asarray(values, dtype=object).flat)
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
