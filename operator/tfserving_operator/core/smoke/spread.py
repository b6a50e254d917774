"""How far answers to different inputs are apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import answers, cases, encoding

_ELEMENT_SPREAD: Final = 1e-3
"""An element apart by this much of its own size varies, however small it is beside the others."""
_BLOCK: Final = 65_536
"""Values of each row that are looked at together: a stack of whole maps would take their memory several times."""

Row = np.ndarray[Any, Any]


class Kind(Enum):
    """What an output's values look like; it decides whether equal answers mean anything."""

    Real = auto()
    """means real numbers: equal answers to different inputs are suspicious"""
    ClassLike = auto()
    """means integers, booleans, strings, one-hot or all zero: equal answers may well be right"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """One output over different inputs."""

    output: str
    inputs: int
    """How many different inputs it was seen for."""
    relative: float
    """The largest difference, relative to the largest value."""
    varies: bool
    kind: Kind
    sample: str
    """The first few values of one answer."""


def input_keys(case: cases.Case) -> tuple[str, ...]:
    """One key for each row that a case sends; equal rows have equal keys."""
    rows = case.instances if case.instances is not None else _columnar_rows(case.inputs)
    return tuple(encoding.digest(row) for row in rows)


def _columnar_rows(inputs: Any) -> Sequence[Any]:
    columns = inputs if isinstance(inputs, Mapping) else {answers.ONLY_OUTPUT: inputs}
    lengths = {_length(values) for values in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        return [inputs]  # no common batch axis: the whole case counts as one row
    return [{name: values[i] for name, values in columns.items()} for i in range(lengths.pop())]


def _length(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return int(values.shape[0]) if values.ndim else 0
    return len(values) if isinstance(values, list | tuple) else 0


def by_input(sent: Sequence[cases.Case], found: Mapping[str, answers.Answer]) -> dict[str, dict[str, Row]]:
    """The outputs' rows by output name and input key. Rows with a value that is not finite are left out."""
    rows: dict[str, dict[str, Row]] = {}
    for case in sent:
        answer = found.get(case.name)
        if answer is None or not answer.succeeded:
            continue
        keys = input_keys(case)
        for name, array in answer.outputs.items():
            parts = answers.rows_of(array, len(keys))
            part_keys = keys if len(parts) == len(keys) else ("+".join(keys),)
            for key, row in zip(part_keys, parts, strict=True):
                if row.dtype.kind != "f" or np.isfinite(row).all():
                    rows.setdefault(name, {}).setdefault(key, row)
    return rows


def measure(output: str, rows: Sequence[Row], min_relative: float) -> Spread:
    """Measure one output over the rows of different inputs.

    Rows of different sizes are compared within their size: an answer as long as its input says nothing yet.
    """
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.size, []).append(row)
    relative, varies = 0.0, False
    for group in groups.values():
        group_relative, group_varies = _vary(group, min_relative)
        relative, varies = max(relative, group_relative), varies or group_varies
    largest = max((len(group) for group in groups.values()), default=0)
    return Spread(
        output=output,
        inputs=largest,
        relative=relative,
        varies=varies,
        kind=_kind(rows),
        sample=_sample(rows[0]) if rows else "",
    )


def _vary(group: Sequence[Row], min_relative: float) -> tuple[float, bool]:
    if len(group) < 2 or not group[0].size:  # noqa: PLR2004 - one row cannot vary
        return 0.0, False
    if any(row.dtype.kind not in "fiu" for row in group):
        differs = any(bool((row != group[0]).any()) for row in group[1:])
        return float(differs), differs
    low, high = np.empty(group[0].size), np.empty(group[0].size)
    for start in range(0, group[0].size, _BLOCK):
        block = np.stack([row[start : start + _BLOCK] for row in group]).astype(np.float64)
        low[start : start + _BLOCK], high[start : start + _BLOCK] = block.min(axis=0), block.max(axis=0)
    spread = high - low
    sizes = np.maximum(np.abs(low), np.abs(high))
    scale = float(sizes.max())
    if scale == 0.0:
        return 0.0, False
    # Relative to the largest element, so that noise in an element near zero is not taken for an answer; or well
    # apart relative to itself, so that a small element counts beside a large one that does not move.
    apart = (spread > min_relative * scale) | (spread > _ELEMENT_SPREAD * sizes)
    return float(spread.max() / scale), bool(apart.any())


def _kind(rows: Sequence[Row]) -> Kind:
    if any(row.dtype.kind != "f" for row in rows):
        return Kind.ClassLike
    if all(bool(np.isin(row, (-1.0, 0.0, 1.0)).all()) for row in rows):
        return Kind.ClassLike
    if all(row.size == 1 and float(row[0]).is_integer() for row in rows):
        return Kind.ClassLike
    return Kind.Real


def _sample(row: Row) -> str:
    shown = ", ".join(f"{value:.6g}" if row.dtype.kind == "f" else str(value)[:24] for value in row[:4])
    return f"[{shown}{', …' if row.size > 4 else ''}]"  # noqa: PLR2004 - four values are enough to see
