"""Rows that get the same answer when they come alone, and different ones in a batch.

Batch normalisation in training mode does that, and so do softmax and argmax over the batch: whoever sends one row at
a time gets the same answer always, whatever a test with batches shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import cases, presentations, recordings, spread
from tfserving_operator.core.smoke.checks import comparing

MIN_INPUTS: Final = 3
_CLEARLY: Final = 1e-3
"""A relative spread that no rounding makes."""

Row = np.ndarray[Any, Any]
Rows = dict[str, dict[str, Row]]
"""By output and input key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """One output that is constant alone and varies in a batch."""

    output: str
    inputs: int
    alone: str
    """The first few values of the answer to each row alone."""
    batch_spread: float


def find(sent: Sequence[cases.Case], pod: recordings.PodRecording, threshold: float) -> Contrast | None:
    """Find such an output, over the rows that were answered both ways."""
    keys = {case.name: spread.input_keys(case) for case in sent if case.name in pod.answered}
    given = {case.name: case for case in sent if case.name in keys}
    alone, batched = _collect(_alone(given, pod), keys), _collect(_batched(given, pod), keys)
    for output in sorted(alone.keys() & batched.keys()):
        both = sorted(alone[output].keys() & batched[output].keys())
        if len(both) < MIN_INPUTS:
            continue
        single = spread.measure(output, [alone[output][key] for key in both], threshold)
        batch = spread.measure(output, [batched[output][key] for key in both], threshold)
        if single.inputs == len(both) and not single.varies and batch.varies and batch.relative > _CLEARLY:
            return Contrast(output=output, inputs=len(both), alone=single.sample, batch_spread=batch.relative)
    return None


Found = Iterator[tuple[str, int, dict[str, Row]]]
"""Case, index of the row in it, and the row's outputs."""


def _collect(found: Found, keys: dict[str, tuple[str, ...]]) -> Rows:
    rows: Rows = {}
    for name, index, outputs in found:
        if index < len(keys[name]):
            for output, row in outputs.items():
                if row.dtype.kind == "f" and not np.isfinite(row).all():
                    continue
                rows.setdefault(output, {}).setdefault(keys[name][index], row)
    return rows


def _alone(given: dict[str, cases.Case], pod: recordings.PodRecording) -> Found:
    for name, case in given.items():
        if presentations.count(case) == 1:
            yield name, 0, comparing.row_of(pod.answered[name], 0, 1)
        for index, answer in enumerate(pod.alone.get(name, ())):
            if answer.succeeded:
                yield name, index, comparing.row_of(answer, 0, 1)


def _batched(given: dict[str, cases.Case], pod: recordings.PodRecording) -> Found:
    for name, case in given.items():
        many = presentations.count(case)
        for index in range(many if many > 1 else 0):
            yield name, index, comparing.row_of(pod.answered[name], index, many)
    if pod.together is not None and pod.together.answer.succeeded:
        for position, (name, index) in enumerate(pod.together.rows):
            if name in given:
                yield name, index, comparing.row_of(pod.together.answer, position, len(pod.together.rows))
