"""Whether two answers to the same row are the same answer, as far as rounding lets it be told.

Batched kernels round in another way than single ones, low precision rounds coarsely, and a tie may fall either way.
So real numbers must be apart by more than a share of what different inputs make of the output, and discrete ones in
more than one place. Where a golden speaks of the output, answers that agree with it are the same answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import answers, cases, plans, presentations
from tfserving_operator.core.smoke.checks import evidence, goldens

RTOL: Final = 1e-2
"""Of how far apart different inputs put an output."""
_NOISE: Final = 1e-3
"""Of an output's largest value: more than float32's rounding in any order of summation."""
_COARSE_NOISE: Final = 3e-2
"""Of an output that is computed in float16 or bfloat16."""
_STRAY: Final = 1e-3
"""Share of an output's values that may flip where the graph rounds or picks a maximum within."""
_STRAY_DISCRETE: Final = 1e-2
_MIN_DISCRETE: Final = 2
"""Rows whose class must differ: that of one may be a tie that fell the other way."""
_BFLOAT16_MASK: Final = np.uint32(0xFFFF)

Array = np.ndarray[Any, Any]
Floors = Mapping[str, float]
"""By output: differences up to this are rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """One row, and two answers to it."""

    output: str
    message: str
    is_discrete: bool
    """Whether the output is one of classes, which a tie may flip."""
    misses_golden: bool
    """Whether a golden speaks of the output, and one of the answers misses it."""


def differing(
    name: str, reason: str, apart: Sequence[tuple[str, Apart]], told: str, compared: int
) -> plans.CheckResult:
    """Judge answers that should be the same.

    Parameters
    ----------
    apart
        Where answers differ, and how.
    told
        What that is called; `{}` stands for the number of places.
    compared
        How many were compared.
    """
    sure = [each for each in apart if each[1].misses_golden]
    for chosen, is_sure in ((sure, True), (list(apart), False)):
        places = dict.fromkeys(where for where, _ in chosen)
        if len(places) < _MIN_DISCRETE and all(each.is_discrete for _, each in chosen):
            continue
        where, first = next(
            each for each in chosen if not each[1].is_discrete or len(places) >= _MIN_DISCRETE
        )
        shown = "; ".join(f"{at}: {each.message}" for at, each in chosen[:32])
        message = f"{told.format(len(places))}; {where}: {first.message}"
        return evidence.failed(name, reason, message, evidence=shown, is_sure=is_sure)
    return evidence.passed(name, f"{compared} were compared" if compared else "")


def floors(found: Mapping[str, answers.Answer], *, rtol: float = RTOL, atol: float = 0.0) -> dict[str, float]:
    """How far answers may be apart, by output, from the answers to different inputs."""
    rows: dict[str, list[Array]] = {}
    for answer in found.values():
        for name, array in answer.outputs.items():
            if array.dtype.kind == "f" and array.size:
                rows.setdefault(name, []).append(
                    array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
                )
    return {name: _floor(arrays, rtol) + atol for name, arrays in rows.items()}


def _floor(arrays: Sequence[Array], rtol: float) -> float:
    scale, spread = 0.0, 0.0
    for width in {array.shape[1] for array in arrays}:
        same = [array for array in arrays if array.shape[1] == width]
        low = np.min([_finite(array).min(axis=0) for array in same], axis=0)
        high = np.max([_finite(array).max(axis=0) for array in same], axis=0)
        scale = max(scale, float(np.abs(low).max()), float(np.abs(high).max()))
        spread = max(spread, float((high - low).max()))
    noise = _COARSE_NOISE if all(_is_coarse(array) for array in arrays) else _NOISE
    return max(rtol * spread, noise * scale)


def _finite(array: Array) -> Array:
    return np.where(np.isfinite(array), array, 0.0)


def _is_coarse(array: Array) -> bool:
    """Whether all values are ones that float16 or bfloat16 can hold."""
    single = array.astype(np.float32)
    if not (single.view(np.uint32) & _BFLOAT16_MASK).any():
        return True
    with np.errstate(over="ignore"):
        return bool((single.astype(np.float16).astype(np.float32) == single).all())


def whole(
    case: cases.Case,
    before: answers.Answer,
    after: answers.Answer,
    allowed: Floors,
    *,
    same_request: bool = True,
) -> list[Apart]:
    """Compare two answers to a whole case, row by row."""
    count = presentations.count(case)
    found = []
    for index in range(count):
        one, other = row_of(before, index, count), row_of(after, index, count)
        found += row(case, index, one, other, allowed, same_request=same_request)
    return found


def row_of(answer: answers.Answer, index: int, count: int) -> dict[str, Array]:
    """One row of an answer by output; outputs that are not batch-first are left out, unless there is one row only."""
    found = {}
    for name, array in answer.outputs.items():
        if array.ndim and array.shape[0] == count:
            found[name] = array[index].reshape(-1)
        elif count == 1:
            found[name] = array.reshape(-1)
    return found


def row(
    case: cases.Case,
    index: int,
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    allowed: Floors,
    *,
    same_request: bool = False,
) -> list[Apart]:
    """Compare two answers to one row of a case.

    Parameters
    ----------
    case, index
        Whose row it is; its golden decides where it has one.
    before, after
        The row's outputs, flat.
    allowed
        By output.
    same_request
        Whether the answers came to the same request. Otherwise an output may be padded to its batch's longest row,
        and answers of different lengths are not compared.
    """
    found = []
    for name, one in before.items():
        other = after.get(name)
        if other is None or (one.size != other.size and not same_request):
            continue
        if message := _apart(one, other, allowed.get(name, 0.0)):
            judged = goldens.judges_row(case, index, name, one), goldens.judges_row(case, index, name, other)
            if judged == (True, True):
                continue
            found.append(
                Apart(
                    output=name,
                    message=f"output {name or 'of the model'} {message}",
                    is_discrete=one.dtype.kind != "f",
                    misses_golden=False in judged,
                )
            )
    return found


def _apart(one: Array, other: Array, floor: float) -> str:
    if one.size != other.size:
        return f"has {one.size} values, then {other.size}"
    if one.dtype.kind != "f" or other.dtype.kind != "f":
        wrong = (
            one.astype(str) != other.astype(str)
            if "U" in (one.dtype.kind, other.dtype.kind)
            else one != other
        )
        share = _STRAY_DISCRETE
    else:
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(one - other) <= floor)
        wrong &= ~((one == other) | (np.isnan(one) & np.isnan(other)))
        share = _STRAY
    count = int(np.count_nonzero(wrong))
    if count <= one.size * share:
        return ""
    at = (
        int(np.argmax(np.where(wrong, np.abs(one - other), -1.0)))
        if one.dtype.kind == other.dtype.kind == "f"
        else int(np.argmax(wrong))
    )
    return f"[{at}] is {_shown(one[at])}, then {_shown(other[at])}; {count} of {one.size} values"


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)[:32]
