"""What a golden wants of one answer: how far many answers are from it, and how much agreement with it proves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import answers, cases

Array = np.ndarray[Any, Any]

_MAX_BITS: Final = 12.0
"""What one golden proves at most: its values hang together, such as those of a softmax."""
_TIE: Final = 1e-6
_EPSILON: Final = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A golden for one row, or for a case that cannot be cut into rows."""

    values: Mapping[str, Array]
    """By the output's name, flat."""
    top_k: tuple[str, tuple[tuple[int, ...], ...]] | None
    """An output and the classes that come first in it, for each row."""
    rtol: float
    atol: float

    def excess(self, outputs: Mapping[str, Array], count: int) -> Array:
        """How many tolerances each of `count` answers is off; up to 1 it agrees. Infinite where it cannot be compared."""
        worst = np.zeros(count)
        for name, want in self.values.items():
            got = _flat(outputs, name, count, want)
            if got is None:
                return np.full(count, np.inf)
            if want.dtype.kind in "Ub":
                worst = np.maximum(worst, np.where((got != want).any(axis=1), np.inf, 0.0))
                continue
            room = self.atol + self.rtol * np.abs(want) + _EPSILON
            off = np.where(np.isnan(got) & np.isnan(want), 0.0, np.abs(got - want) / room)
            worst = np.maximum(worst, _largest(off))
        if self.top_k is not None:
            worst = np.maximum(worst, np.where(_shortfall(outputs, self.top_k, count) > 0.0, np.inf, 0.0))
        return worst

    def distance(self, outputs: Mapping[str, Array], count: int, scales: Mapping[str, float]) -> Array:
        """How far each of `count` answers is, in units of how far the goldens are from each other."""
        total = np.zeros(count)
        for name, want in self.values.items():
            got = _flat(outputs, name, count, want)
            if got is None:
                return np.full(count, np.inf)
            if want.dtype.kind in "Ub":
                total += (got != want).mean(axis=1)
                continue
            off = np.abs(got - want)
            total += np.where(np.isnan(off), np.inf, off).mean(axis=1) / scales.get(name, 1.0)
        if self.top_k is not None:
            total += _shortfall(outputs, self.top_k, count)
        return total


def read(expect: cases.Expect, index: int | None) -> Wanted:
    """Take the golden of one row, or of the whole case where `index` is None.

    Raises
    ------
    IndexError
        When there is no such row.
    """
    values = {name: _values(golden, index) for name, golden in expect.outputs.items()}
    top_k = None
    if expect.top_k is not None:
        classes = expect.top_k.classes
        top_k = (expect.top_k.output, tuple(classes) if index is None else (tuple(classes[index]),))
    return Wanted(values=values, top_k=top_k, rtol=expect.rtol, atol=expect.atol)


def scales(goldens: Sequence[Wanted]) -> dict[str, float]:
    """How far the goldens of each output are from their mean: 1 says no more than that mean does."""
    found: dict[str, float] = {}
    for name, rows in _numeric(goldens).items():
        stack = np.stack(rows)
        apart = np.abs(stack - stack.mean(axis=0)).mean()
        found[name] = float(apart) or float(np.abs(stack).mean()) or 1.0
    return found


def proof(goldens: Sequence[Wanted]) -> float:
    """How many bits agreement with all of these goldens proves: a search over 2**b candidates needs more than b.

    Goldens that are all alike prove nothing: many a broken model would agree. A class out of two proves a bit.
    """
    if len({_key(golden) for golden in goldens}) < 2:  # noqa: PLR2004 - alike
        return 0.0
    numeric = _numeric(goldens)
    bits = sum(_class_bits(goldens, golden) for golden in goldens)
    for name, rows in numeric.items():
        stack = np.stack(rows)
        apart = stack.max(axis=0) - stack.min(axis=0)
        is_class = bool((stack == np.round(stack)).all())
        for golden in goldens:
            if name not in golden.values or golden.values[name].shape != apart.shape:
                continue
            if is_class:
                bits += math.log2(len(np.unique(stack, axis=0)))
            else:
                room = golden.atol + golden.rtol * np.abs(golden.values[name]) + _EPSILON
                bits += min(float(np.log2(1.0 + apart / (2.0 * room)).sum()), _MAX_BITS)
    return bits


def _class_bits(goldens: Sequence[Wanted], golden: Wanted) -> float:
    bits = 0.0
    for name, want in golden.values.items():
        if want.dtype.kind not in "fiu":
            seen = {other.values[name].tobytes() for other in goldens if name in other.values}
            bits += math.log2(len(seen))
    if golden.top_k is not None:
        classes = {c for other in goldens if other.top_k for row in other.top_k[1] for c in row}
        bits += sum(len(row) for row in golden.top_k[1]) * math.log2(len(classes))
    return min(bits, _MAX_BITS)


def _numeric(goldens: Sequence[Wanted]) -> dict[str, list[Array]]:
    """The goldens of each output of numbers, as far as they have the same size."""
    found: dict[str, list[Array]] = {}
    for golden in goldens:
        for name, want in golden.values.items():
            rows = found.setdefault(name, [])
            if want.dtype.kind in "fiu" and (not rows or rows[0].shape == want.shape):
                rows.append(want.astype(np.float64))
    return {name: rows for name, rows in found.items() if rows}


def _key(golden: Wanted) -> tuple[Any, ...]:
    values = tuple((name, want.tobytes()) for name, want in sorted(golden.values.items()))
    return (values, golden.top_k)


def _values(golden: Any, index: int | None) -> Array:
    array = np.asarray(golden)
    flat = (array if index is None else array[index]).reshape(-1)
    return flat.astype(np.float64) if flat.dtype.kind in "fiu" else flat


def _flat(outputs: Mapping[str, Array], name: str, count: int, want: Array) -> Array | None:
    """One row of values for each answer, of the golden's size and kind; None where they cannot be compared."""
    got = outputs.get(name, outputs.get(answers.ONLY_OUTPUT))
    if got is None or got.size != count * want.size:
        return None
    flat = got.reshape(count, want.size)
    if want.dtype.kind == "U":
        return flat.astype(str) if flat.dtype.kind == "U" else None
    if want.dtype.kind == "b":
        return flat if flat.dtype.kind == "b" else None
    return flat.astype(np.float64) if flat.dtype.kind in "fiub" else None


def _largest(values: Array) -> Array:
    whole = np.where(np.isnan(values), np.inf, values)
    return whole.max(axis=1) if whole.shape[1] else np.zeros(len(whole))


def _shortfall(
    outputs: Mapping[str, Array], top_k: tuple[str, tuple[tuple[int, ...], ...]], count: int
) -> Array:
    """How far the wanted classes are below the k-th value, in shares of the values' range."""
    name, rows = top_k
    got = outputs.get(name, outputs.get(answers.ONLY_OUTPUT))
    unusable = np.full(count, np.inf)
    if got is None or got.dtype.kind not in "fiu" or not got.size or got.size % (count * len(rows)):
        return unusable
    values = got.reshape(count, len(rows), -1).astype(np.float64)
    total = np.zeros(count)
    for i, wanted in enumerate(rows):
        row = np.where(np.isnan(values[:, i]), -np.inf, values[:, i])
        if max(wanted) >= row.shape[1]:
            return unusable
        kth = np.sort(row, axis=1)[:, -len(wanted)][:, None]
        with np.errstate(invalid="ignore"):
            short = np.maximum(kth - _TIE * np.abs(kth) - row[:, list(wanted)], 0.0)
            reach = np.maximum(np.ptp(row, axis=1), _EPSILON)
            total += np.where(np.isnan(short), np.inf, short).mean(axis=1) / reach
    return total / len(rows)
