"""Searches that ask in rounds: what to send next follows from what was recorded, and from nothing else.

A search is a generator that yields an `Ask` and is sent its `Reply`. It is replayed from the start each time, so
that planning stays a pure function of the recording.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from tfserving_operator.core.smoke import answers, cases, encoding, recordings
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import units

MAX_REQUESTS: Final = 96
"""Of all probes of one test together."""
MAX_BYTES: Final = 96 * 2**20
"""About what all requests of one test's probes hold together."""
_REQUEST_VALUES: Final = 200_000
"""In one request: about 2 MB of JSON. A single unit may hold more."""
_REQUEST_ROWS: Final = 4096
_VALUE_BYTES: Final = 9
"""Of a float as JSON, roughly."""

R = TypeVar("R")
Change = Callable[[units.Columns], units.Columns]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One unit, changed."""

    unit: units.Unit
    change: Change
    group: str = ""
    """Trials of different groups are never joined: other shapes, or values that the model may refuse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One round."""

    name: str
    trials: Sequence[Trial]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back, in the order of the trials."""

    answered: units.Array
    """Whether there was an answer, for each trial."""
    outputs: Mapping[str, units.Array]
    """By name, one flat row for each trial; zero where there was none."""

    def of(self, indices: Sequence[int] | units.Array) -> dict[str, units.Array]:
        """The outputs of some trials."""
        return {name: array[np.asarray(indices, dtype=int)] for name, array in self.outputs.items()}


Search = Generator[Ask, Reply, R]


@dataclass(kw_only=True, slots=True)
class Ledger:
    """What the searches of one replay have asked for so far."""

    recorded: recordings.Recording
    requests: int = 0
    size: int = 0
    pending: dict[str, tuple[cases.Case, ...]] = field(default_factory=dict)

    def affords(self, values: int) -> bool:
        """Take a request of so many values from the budget, unless that is used up."""
        size = values * _VALUE_BYTES
        if self.requests + 1 > MAX_REQUESTS or self.size + size > MAX_BYTES:
            return False
        self.requests += 1
        self.size += size
        return True


def replay(search: Search[R], sample: units.Sample, ledger: Ledger, *, until_pending: bool) -> R | None:
    """Run a search on what was recorded.

    Parameters
    ----------
    search
        A generator that was not started.
    sample
        What it searches.
    ledger
        Gets the cases that it asks for next, and counts those that it asked for before.
    until_pending
        Stop at the first round without answers, and give None; else such rounds count as not answered.
    """
    try:
        ask = next(search)
        while True:
            chunks = list(_chunks(ask, sample))
            affordable = [chunk for chunk in chunks if ledger.affords(chunk.values)]
            missing = [chunk for chunk in affordable if chunk.name not in ledger.recorded.probes]
            if missing and until_pending:
                ledger.pending = {chunk.name: (_case(ask, chunk, sample),) for chunk in missing}
                search.close()
                return None
            ask = search.send(_reply(ask, affordable, sample, ledger.recorded))
    except StopIteration as stop:
        found: R = stop.value
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chunk:
    """The trials that one request holds."""

    name: str
    indices: Sequence[int]
    values: int


def _chunks(ask: Ask, sample: units.Sample) -> Iterator[_Chunk]:
    shapes = {id(unit): tuple(a.shape[1:] for a in unit.columns.values()) for unit in sample.units}
    groups: dict[tuple[str, tuple[tuple[int, ...], ...]], list[int]] = {}
    for index, trial in enumerate(ask.trials):
        groups.setdefault((trial.group, shapes[id(trial.unit)]), []).append(index)
    count = 0
    for indices in groups.values():
        values = max(
            unit.values for unit in {id(u): u for u in (ask.trials[i].unit for i in indices)}.values()
        )
        size = max(1, min(_REQUEST_ROWS, _REQUEST_VALUES // values)) if sample.by_row else 1
        size = min(size, sample.batch) if sample.batch else size
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            yield _Chunk(name=f"{ask.name} {count}", indices=part, values=values * len(part))
            count += 1


def _case(ask: Ask, chunk: _Chunk, sample: units.Sample) -> cases.Case:
    parts = [ask.trials[index].change(ask.trials[index].unit.columns) for index in chunk.indices]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return units.to_case(_case_name(chunk), columns, sample.signature)


def _case_name(chunk: _Chunk) -> str:
    return f"probe-{encoding.digest(chunk.name)[:8]}"


def _reply(ask: Ask, chunks: Sequence[_Chunk], sample: units.Sample, recorded: recordings.Recording) -> Reply:
    answered = np.zeros(len(ask.trials), dtype=bool)
    outputs: dict[str, units.Array] = {}
    for chunk in chunks:
        answer = (recorded.probes.get(chunk.name) or {}).get(_case_name(chunk), answers.Answer())
        found = evidence.named(answer, sample.signature).outputs if answer.succeeded else {}
        rows = {name: _rows(array, len(chunk.indices), sample) for name, array in found.items()}
        indices = np.asarray(chunk.indices)
        if not rows or not all(_fits(outputs.get(name), array) for name, array in rows.items()):
            continue
        for name, array in rows.items():
            outputs[name] = _joined(outputs.get(name), array, indices, len(ask.trials))
        answered[indices] = True
    return Reply(answered=answered, outputs=outputs)


def _rows(array: units.Array, count: int, sample: units.Sample) -> units.Array:
    """One flat row for each trial of a request; none where the answer does not come by row."""
    if not sample.by_row:
        return array.reshape(1, -1)
    is_by_row = array.ndim and len(array) == count and array.size
    return array.reshape(count, -1) if is_by_row else np.zeros((0, 0))


def _fits(whole: units.Array | None, rows: units.Array) -> bool:
    """Whether rows can stand beside those of other requests."""
    if not rows.size:
        return False
    return whole is None or (
        whole.shape[1] == rows.shape[1] and (whole.dtype.kind == "U") == (rows.dtype.kind == "U")
    )


def _joined(whole: units.Array | None, rows: units.Array, indices: units.Array, count: int) -> units.Array:
    if whole is None:
        whole = np.zeros((count, rows.shape[1]), dtype=rows.dtype)
    elif whole.dtype != rows.dtype:
        whole = whole.astype(np.promote_types(whole.dtype, rows.dtype))
    whole[indices] = rows
    return whole
