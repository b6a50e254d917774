"""What the answers themselves tell beside their goldens: classes in another order, cut fractions, few bits, one class."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.causing.story import Story, clue
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import grading, units

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_HALF_ERROR: Final = 0.02
"""Of the largest golden: how far float16 and bfloat16 arithmetic takes a small network's outputs."""
_QUANTISED_ERROR: Final = 0.08
"""Of the largest golden: the same for 8 bits."""
_MIN_VALUES: Final = 8
_BRAIN_MASK: Final = np.uint32(0xFFFF)
_SHOWN: Final = 6
_SPARE_ROWS: Final = 2
_MATRIX: Final = 2


def label_order(found: evidence.Evidence) -> Story | None:
    """Tell that the classes come in another order: one permutation of them restores all goldens."""
    rated = _rated(found)
    if not any(unit.excess > 1.0 for unit in rated):
        return None
    for name in _shared(rated):
        got = np.stack([unit.answered[name] for unit in rated])
        want = np.stack([unit.golden.values[name] for unit in rated if unit.golden])
        if got.shape != want.shape:
            continue
        if want.shape[1] > 1 and want.dtype.kind == "f" and not _is_whole(want):
            order = _column_order(rated, got.astype(np.float64), want)
            if order is not None and grading.is_proven(rated, math.factorial(min(len(order), 20))):
                shown = ", ".join(str(i) for i in order[:_SHOWN]) + (", …" if len(order) > _SHOWN else "")
                return _labels(f"the classes of {name} are taken in the order {shown}")
        elif renamed := _renamed(got, want):
            pairs = [f"{a} for {b}" for a, b in renamed.items() if a != b]
            return _labels(f"the classes of {name} are renamed ({', '.join(pairs[:_SHOWN])})")
    return _top_k_order(rated)


def _labels(when: str) -> Story:
    return Story(cause=causes.Cause.LabelOrder, told=f"They agree when {when}")


def _rated(found: evidence.Evidence) -> list[units.Unit]:
    sample = units.gather(found)
    if sample is None or not sample.by_row:
        return []
    return [unit for unit in sample.units if unit.golden and unit.answered]


def _shared(rated: Sequence[units.Unit]) -> list[str]:
    """The outputs that all of these have a golden and an answer of one size for."""
    names = sorted(rated[0].golden.values) if rated and rated[0].golden else []
    return [
        name
        for name in names
        if len({u.golden.values[name].shape for u in rated if u.golden and name in u.golden.values}) == 1
        and all(u.golden and name in u.golden.values and name in u.answered for u in rated)
        and len({u.answered[name].shape for u in rated}) == 1
    ]


def _is_whole(values: units.Array) -> bool:
    return values.dtype.kind in "fiu" and bool((values == np.round(values)).all())


def _column_order(rated: Sequence[units.Unit], got: units.Array, want: units.Array) -> list[int] | None:
    """For each class, the column of the answers that holds it, by what agrees within the tolerances in every row."""
    atol = np.array([unit.golden.atol for unit in rated if unit.golden])[:, None]
    rtol = np.array([unit.golden.rtol for unit in rated if unit.golden])[:, None]
    count = want.shape[1]
    if count > 4096 or not np.isfinite(got).all():  # noqa: PLR2004 - wider ones take too long
        return None
    order: list[int] = []
    free = np.ones(count, dtype=bool)
    room = atol + rtol * np.abs(want)
    # The classes that matter most first: those near zero everywhere agree with each other.
    for column in np.argsort(-np.abs(want).max(axis=0), kind="stable"):
        off = (np.abs(got - want[:, [column]]) / (room[:, [column]] + 1e-12)).max(axis=0)
        off = np.where(free, off, np.inf)
        # The column itself where it agrees, so that equal columns do not change places.
        best = int(column) if off[column] <= 1.0 else int(np.argmin(off))
        if not off[best] <= 1.0:
            return None
        free[best] = False
        order.append(best)
    by_class = dict(zip(np.argsort(-np.abs(want).max(axis=0), kind="stable").tolist(), order, strict=True))
    found = [by_class[column] for column in range(count)]
    return found if found != list(range(count)) else None


def _renamed(got: units.Array, want: units.Array) -> dict[object, object] | None:
    """A one-to-one renaming of class numbers or labels; enough rows must repeat it."""
    is_class = got.dtype.kind == want.dtype.kind == "U" or (_is_whole(got) and _is_whole(want))
    if not is_class or got.shape[1] != 1:
        return None
    pairs: dict[object, object] = {}
    for have, wish in zip(got[:, 0].tolist(), want[:, 0].tolist(), strict=True):
        if pairs.setdefault(wish, have) != have:
            return None
    is_one_to_one = len(set(pairs.values())) == len(pairs)
    repeats = len(got) - len(pairs)
    enough = len(pairs) >= _MATRIX and repeats >= _SPARE_ROWS
    return pairs if is_one_to_one and enough and any(a != b for a, b in pairs.items()) else None


def _top_k_order(rated: Sequence[units.Unit]) -> Story | None:
    pairs: dict[int, int] = {}
    repeats = 0
    for unit in rated:
        top_k = unit.golden.top_k if unit.golden else None
        values = unit.answered.get(top_k[0]) if top_k else None
        if top_k is None or values is None or values.dtype.kind != "f":
            return None
        wanted = top_k[1][0]
        have = np.argsort(-values, kind="stable")[: len(wanted)]
        for wish, number in zip(wanted, have.tolist(), strict=False):
            repeats += wish in pairs
            if pairs.setdefault(wish, number) != number:
                return None
    is_one_to_one = len(set(pairs.values())) == len(pairs)
    moved = [f"{a} at {b}" for a, b in pairs.items() if a != b]
    if not moved or not is_one_to_one or repeats < _SPARE_ROWS or len(pairs) < _MATRIX:
        return None
    return _labels(f"the classes are taken in another order ({', '.join(moved[:_SHOWN])})")


def truncated(found: evidence.Evidence) -> Story | None:
    """Tell that the answers are the goldens without their fractions."""
    rated = _rated(found)
    for name in _shared(rated) if len(rated) > 1 else ():
        got = np.stack([unit.answered[name] for unit in rated])
        want = np.stack([unit.golden.values[name] for unit in rated if unit.golden])
        if got.shape != want.shape or want.dtype.kind != "f" or got.dtype.kind not in "fiu":
            continue
        if _is_whole(want) or not _is_whole(got) or len(np.unique(got)) < _MATRIX:
            continue
        if got.dtype.kind == "f" and bool(np.isin(got, (0.0, 1.0)).all()):
            continue  # a saturated softmax is all zeros and ones, too
        # A golden close to a whole number may have been on its other side.
        room = np.array([unit.golden.atol for unit in rated if unit.golden]).max()
        for cut, word in ((np.trunc, "cut to"), (np.round, "rounded to"), (np.floor, "rounded down to")):
            if any(bool((got == cut(want + shift)).all()) for shift in (0.0, room, -room)):
                told = f"The answers are the goldens {word} whole numbers"
                return Story(cause=causes.Cause.IntegerTruncation, told=told)
    return None


def low_precision(found: evidence.Evidence) -> Story | None:
    """Tell that few bits account for the differences: they are small, and the graph or the answers show it."""
    rated = _rated(found)
    names = _shared(rated)
    if not names or not any(unit.excess > 1.0 for unit in rated):
        return None
    worst, values = 0.0, []
    for name in names:
        got = np.stack([unit.answered[name] for unit in rated])
        want = np.stack([unit.golden.values[name] for unit in rated if unit.golden])
        if got.shape != want.shape or got.dtype.kind != "f" or want.dtype.kind != "f":
            return None
        largest = float(np.abs(want).max()) or 1.0
        worst = max(worst, float(np.abs(got - want).max()) / largest)
        values.append(got.reshape(-1))
    whole = np.concatenate(values)
    for kind, limit in (
        (inspection.Clue.LowPrecision, _HALF_ERROR),
        (inspection.Clue.Quantised, _QUANTISED_ERROR),
    ):
        detail = clue(found, kind)
        if detail is not None and worst <= limit:
            return _precision(f"The graph computes with few bits ({detail or kind})", worst)
    if worst <= _HALF_ERROR and _is_short(whole):
        return _precision("Every answer is a number of 16 bits", worst)
    return None


def _precision(text: str, worst: float) -> Story:
    told = f"{text}, and the answers are off by {worst:.1%} of the largest golden at most"
    return Story(cause=causes.Cause.LowPrecision, told=told)


def _is_short(values: units.Array) -> bool:
    """Whether all values are numbers of float16, or of bfloat16; whole ones say nothing."""
    told = values[np.isfinite(values) & (values != np.round(values))].astype(np.float32)
    if len(told) < _MIN_VALUES:
        return False
    is_half = bool((told.astype(np.float16).astype(np.float32) == told).all())
    return is_half or not bool((told.view(np.uint32) & _BRAIN_MASK).any())


def dominant(found: evidence.Evidence) -> Story | None:
    """Tell that one class wins for every input, where the goldens name several."""
    rated = _rated(found)
    for name in _shared(rated):
        want = [_winner(unit.golden.values[name]) for unit in rated if unit.golden]
        got = [_winner(unit.answered[name]) for unit in rated]
        if None in got or None in want:
            continue
        if len(set(got)) == 1 and len(set(want)) > 1:
            told = f"Class {got[0]} wins for all {len(got)} rows, whose goldens name {len(set(want))} classes"
            return Story(cause=causes.Cause.DominantClass, told=told)
    classes = {unit.golden.top_k[1][0][0] for unit in rated if unit.golden and unit.golden.top_k}
    tops = {
        _winner(u.answered[u.golden.top_k[0]])
        for u in rated
        if u.golden and u.golden.top_k and u.golden.top_k[0] in u.answered
    }
    if len(classes) > 1 and len(tops) == 1:
        told = f"Class {tops.pop()} wins for all {len(rated)} rows, whose goldens name {len(classes)} classes"
        return Story(cause=causes.Cause.DominantClass, told=told)
    return None


def _winner(values: units.Array) -> object:
    """The class that an output names; None where it names none."""
    if values.dtype.kind == "U":
        return str(values[0]) if values.size == 1 else None
    if values.dtype.kind not in "fiub" or not np.isfinite(values.astype(float)).all():
        return None
    if values.size > 1:
        return int(np.argmax(values)) if values.size <= 4096 else None  # noqa: PLR2004
    number = float(values[0])
    if values.dtype.kind in "iub" or number.is_integer():
        return int(number)
    return int(number > 0.5) if 0.0 < number < 1.0 else None  # noqa: PLR2004 - the usual threshold
