"""Ids: of tokens, off by a few; of classes, where one-hot vectors are taken, or the other way round; masks."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import grading, units

Array = units.Array
SHIFTS: Final = (1, -1, 2, -2, 3, -3)
"""One is the unknown token counted or not; two and three are those for padding and the start."""
_MASK_NAME: Final = re.compile(r"(^|[^a-z])(mask|masks|attention|padding)([^a-z]|$)")
_LENGTH_NAME: Final = re.compile(r"(^|[^a-z])(len|lens|length|lengths|sizes)([^a-z]|$)")
_TYPE_NAME: Final = re.compile(r"(^|[^a-z])(type|segment)(s|[^a-z]|$)")
_MAX_CLASSES: Final = 1024
_MATRIX_RANK: Final = 2


def is_mask(name: str) -> bool:
    """Whether an input's name says that it hides positions."""
    return bool(_MASK_NAME.search(name.lower()))


def is_length(name: str) -> bool:
    """Whether an input's name says that it counts positions."""
    return bool(_LENGTH_NAME.search(name.lower()))


def ids(sample: units.Sample) -> tuple[str, ...]:
    """The inputs that hold ids: whole numbers that are neither a mask nor a length."""
    found = []
    for name in sample.named("i", "f"):
        arrays = [unit.columns[name] for unit in sample.units]
        whole = all(bool(((a >= 0) & (a == np.round(a))).all()) for a in arrays)
        counts = max(float(a.max()) for a in arrays) > 1.0
        is_other = is_mask(name) or is_length(name) or _TYPE_NAME.search(name.lower())
        is_sequence = arrays[0].ndim >= _MATRIX_RANK or arrays[0].dtype.kind == "i"
        if whole and counts and is_sequence and not is_other and arrays[0].ndim <= _MATRIX_RANK:
            found.append(name)
    return tuple(found)


def shifted(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Token ids off by a few, with padding and without."""
    names = ids(sample)
    for by in SHIFTS if names else ():
        word = f"{'raised' if by > 0 else 'lowered'} by {abs(by)}"
        for but_padding in (False, True):

            def change(
                columns: units.Columns, *, by: int = by, but_padding: bool = but_padding
            ) -> units.Columns:
                return {
                    name: _shift(a, by, but_padding=but_padding) if name in names else a
                    for name, a in columns.items()
                }

            when = f"token ids are {word}{', but for the padding' if but_padding else ''}"
            yield grading.Candidate(when=when, cause=causes.Cause.TokenIdsShifted, change=change, group=when)


def _shift(ids: Array, by: int, *, but_padding: bool) -> Array:
    moved = np.maximum(ids + by, 0)
    return np.where(ids == 0, ids, moved) if but_padding else moved


def masks(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Masks and lengths that hide nothing, and masks turned round."""
    cause = causes.Cause.SequenceMasked
    for name in sample.named("i", "f", "b"):
        array = sample.units[0].columns[name]
        if is_mask(name):
            yield _mask(name, f"{name} is turned round (1 for 0)", cause, _inverted)
            yield _mask(name, f"{name} is 1 everywhere", cause, np.ones_like)
            yield _mask(name, f"{name} is 0 everywhere", cause, np.zeros_like)
        elif is_length(name) and array.dtype.kind != "b":
            longest = max(
                (a.shape[1] for n, a in sample.units[0].columns.items() if n != name and a.ndim > 1),
                default=0,
            )
            if longest:

                def full(x: Array, longest: int = longest) -> Array:
                    return np.full_like(x, longest)

                yield _mask(name, f"{name} is {longest}, the whole sequence", cause, full)
    yield from _paddings(sample)


def _paddings(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Padding on the other side, or by another id."""
    for name in ids(sample):
        array = sample.units[0].columns[name]
        if array.ndim != _MATRIX_RANK:
            continue
        last = {int(v) for unit in sample.units for v in unit.columns[name][:, -1]}
        for pad in sorted({0, *(last if len(last) == 1 else ())}):
            if any(bool((unit.columns[name] == pad).any()) for unit in sample.units):

                def turned(x: Array, pad: int = pad) -> Array:
                    return _turned(x, pad)

                yield _mask(name, f"{name} is padded on the other side", causes.Cause.SequenceMasked, turned)
        for pad, other in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if any(bool((unit.columns[name] == pad).any()) for unit in sample.units):

                def padded(x: Array, pad: int = pad, other: int = other) -> Array:
                    return np.where(x == pad, other, x)

                text = f"{name} is padded with {other} rather than {pad}"
                yield _mask(name, text, causes.Cause.SequenceMasked, padded)


def _turned(x: Array, pad: int) -> Array:
    rows = []
    for row in x:
        kept, filler = row[row != pad], row[row == pad]
        leading = len(row) > 0 and row[0] == pad
        rows.append(np.concatenate([kept, filler] if leading else [filler, kept]))
    return np.stack(rows)


def _inverted(x: Array) -> Array:
    return ~x if x.dtype.kind == "b" else np.where(x == 0, 1, 0).astype(x.dtype)


def _mask(name: str, when: str, cause: causes.Cause, function: Callable[[Array], Array]) -> grading.Candidate:
    def change(columns: units.Columns) -> units.Columns:
        return {**columns, name: function(columns[name])}

    return grading.Candidate(when=when, cause=cause, change=change, group=when)


def one_hot(sample: units.Sample) -> Iterator[grading.Candidate]:
    """One-hot vectors as indices, and indices as one-hot vectors, where that is what they look like."""
    cause = causes.Cause.OneHotIndex
    for name in sample.named("i", "f"):
        arrays = [unit.columns[name] for unit in sample.units]
        if _is_one_hot(arrays):
            for keeps in (True, False):

                def index(x: Array, *, keeps: bool = keeps) -> Array:
                    return np.asarray(np.argmax(x, axis=-1, keepdims=keeps).astype(x.dtype))

                yield _mask(
                    name, f"{name} is sent as class indices{'' if keeps else ' (flat)'}", cause, index
                )
        elif _is_index_in_place(arrays):
            yield _mask(name, f"{name} is sent as a one-hot vector", cause, _spread_out)
        elif name in ids(sample) or _is_index(arrays):
            yield from _as_vectors(sample, name, arrays, cause)


def _as_vectors(
    sample: units.Sample, name: str, arrays: list[Array], cause: causes.Cause
) -> Iterator[grading.Candidate]:
    most = int(max(a.max() for a in arrays)) + 1
    shape = sample.signature.inputs[name].shape
    last = shape[-1] if shape else -1
    for classes in sorted({last} if last > most else {most, most + 1, 10, 100, 1000}):
        if most <= classes <= _MAX_CLASSES:
            flat = arrays[0].ndim > 1 and arrays[0].shape[-1] == 1

            def vectors(x: Array, *, classes: int = classes, flat: bool = flat) -> Array:
                index = (x[..., 0] if flat else x).astype(np.int64)
                return np.eye(classes, dtype=x.dtype)[np.clip(index, 0, classes - 1)]

            yield _mask(name, f"{name} is sent as one-hot vectors of {classes}", cause, vectors)


def _is_one_hot(arrays: list[Array]) -> bool:
    return all(
        a.ndim > 1
        and a.shape[-1] > 1
        and bool(np.isin(a, (0, 1)).all())
        and bool((a.sum(axis=-1) == 1).all())
        for a in arrays
    )


def _is_index_in_place(arrays: list[Array]) -> bool:
    """An index in the first place of a vector that is zero otherwise."""
    return all(
        a.ndim == _MATRIX_RANK
        and a.shape[1] > 1
        and not a[:, 1:].any()
        and bool(((a[:, 0] >= 0) & (a[:, 0] == np.round(a[:, 0])) & (a[:, 0] < a.shape[1])).all())
        for a in arrays
    ) and any(bool(a.any()) for a in arrays)


def _spread_out(x: Array) -> Array:
    return np.asarray(np.eye(x.shape[1], dtype=x.dtype)[x[:, 0].astype(np.int64)])


def _is_index(arrays: list[Array]) -> bool:
    """Whole numbers, one for each row."""
    return all(a.size == len(a) and bool(((a >= 0) & (a == np.round(a))).all()) for a in arrays) and any(
        bool(a.any()) for a in arrays
    )
