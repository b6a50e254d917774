"""The recorded answers by row: as they were written, alone, in one batch, and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import answers, cases, presentations, recordings
from tfserving_operator.core.smoke.checks import evidence

Array = np.ndarray[Any, Any]
Key = tuple[str, int]
"""A case's name, and the index of a row in it."""
Rows = Mapping[Key, Mapping[str, Array]]
"""By row: the outputs by name, flat."""

RTOL: Final = 1e-3
ATOL: Final = 1e-6
"""Rounding differs between batch sizes; what is further apart is another answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The first pod's answers, in every presentation."""

    written: Rows
    alone: Rows
    """Each row as a request of its own; that of a case with one row is the case."""
    repeated: Rows
    together: Rows
    permuted: Rows
    sent: tuple[cases.Case, ...] = ()
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    """The outputs' shapes by case, as they came."""


def gather(found: evidence.Evidence) -> Seen:
    """Read a recording by row."""
    if not found.recording.targets:
        return Seen(written={}, alone={}, repeated={}, together={}, permuted={})
    pod = _named(found.recording.targets[0], found)
    counts = {case.name: len(presentations.rows(case)) for case in found.recording.sent}
    written = _by_case(pod.answered, counts)
    alone = {key: row for key, row in written.items() if counts[key[0]] == 1}
    for name, singles in pod.alone.items():
        for index, answer in enumerate(singles):
            if answer.succeeded and name in counts:
                alone[name, index] = {n: array.reshape(-1) for n, array in answer.outputs.items()}
    return Seen(
        written=written,
        alone=alone,
        repeated=_by_case(pod.repeated, counts),
        together=_by_batch(pod.together),
        permuted=_by_batch(pod.permuted),
        sent=found.recording.sent,
        shapes={
            name: {n: array.shape for n, array in answer.outputs.items()}
            for name, answer in pod.answered.items()
            if answer.succeeded and name in counts
        },
    )


def _named(pod: recordings.PodRecording, found: evidence.Evidence) -> recordings.PodRecording:
    """Every presentation with its outputs under their own names."""

    def named(answer: answers.Answer) -> answers.Answer:
        return evidence.named(answer, found.signature)

    def batch(each: recordings.Batch | None) -> recordings.Batch | None:
        return replace(each, answer=named(each.answer)) if each else None

    return replace(
        pod,
        answered={name: named(answer) for name, answer in pod.answered.items()},
        repeated={name: named(answer) for name, answer in pod.repeated.items()},
        alone={name: tuple(map(named, each)) for name, each in pod.alone.items()},
        together=batch(pod.together),
        permuted=batch(pod.permuted),
    )


def _by_case(answered: Mapping[str, answers.Answer], counts: Mapping[str, int]) -> dict[Key, Any]:
    rows: dict[Key, Any] = {}
    for name, answer in answered.items():
        if answer.succeeded and name in counts:
            rows |= _split(answer, [(name, index) for index in range(counts[name])])
    return rows


def _by_batch(batch: recordings.Batch | None) -> dict[Key, Any]:
    return _split(batch.answer, batch.rows) if batch and batch.answer.succeeded else {}


def _split(answer: answers.Answer, keys: Sequence[Key]) -> dict[Key, dict[str, Array]]:
    """The rows of an answer; none where an output has another number of them."""
    if len(keys) == 1:
        return {keys[0]: {name: array.reshape(-1) for name, array in answer.outputs.items()}}
    if not all(array.ndim and len(array) == len(keys) for array in answer.outputs.values()):
        return {}
    return {
        key: {name: np.asarray(array[i]).reshape(-1) for name, array in answer.outputs.items()}
        for i, key in enumerate(keys)
    }


def same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether two answers are one, but for rounding."""
    return one.keys() == other.keys() and all(_close(array, other[name]) for name, array in one.items())


def _close(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    if (one.dtype.kind == "U") != (other.dtype.kind == "U"):
        return False
    if "f" not in (one.dtype.kind, other.dtype.kind):
        return bool((one == other).all())
    if not {one.dtype.kind, other.dtype.kind} <= set("fiub"):
        return False
    numbers = one.astype(float)
    scale = float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0))
    room = ATOL + RTOL * scale
    return bool(np.allclose(one.astype(float), other.astype(float), rtol=RTOL, atol=room, equal_nan=True))


def differing(one: Rows, other: Rows) -> list[Key]:
    """The rows that were answered twice, and not alike."""
    return [key for key in one if key in other and not same(one[key], other[key])]


def is_shuffled(keys: Sequence[Key], reference: Rows, got: Rows) -> bool:
    """Whether the answers to some rows are those of the reference in another order."""
    keys = [key for key in keys if key in reference and key in got]
    if len(keys) < 2 or all(same(reference[key], got[key]) for key in keys):  # noqa: PLR2004 - one has no order
        return False
    left = list(keys)
    for key in keys:
        match = next((other for other in left if same(reference[other], got[key])), None)
        if match is None:
            return False
        left.remove(match)
    return True


def groups(rows: Rows) -> list[list[Key]]:
    """The rows of each case."""
    found: dict[str, list[Key]] = {}
    for key in rows:
        found.setdefault(key[0], []).append(key)
    return list(found.values())


def all_same(rows: Rows) -> bool:
    """Whether there are several rows, and all have one answer."""
    each = list(rows.values())
    return len(each) > 1 and all(same(each[0], other) for other in each[1:])
