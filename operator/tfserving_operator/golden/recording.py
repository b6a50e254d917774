"""Goldens out of a reference's answers: which records to keep, and how exactly to compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import cases
from tfserving_operator.golden import errors, records, references

BATCHES: Final = (1, 2, 7)
"""Batch sizes that the tolerance is measured over, beside all records at once: kernels round by their size."""
REPEATS: Final = 2
MARGIN: Final = 4.0
"""A tolerance is this many times the largest difference that was measured: another machine rounds otherwise."""
WIDE: Final = 64
"""Outputs with more values for each record are kept as their highest classes."""
STATISTICS_VALUES: Final = 4096
"""Inputs with a longer last axis get no statistics."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How goldens are recorded."""

    max_cases: int = 16
    top_k: int | None = None
    """Keep the k highest classes of every output; None: of wide ones only, the 5 highest."""
    full: bool = False
    """Keep wide outputs whole."""
    rtol: float = cases.DEFAULT_RTOL
    atol: float = cases.DEFAULT_ATOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Goldens."""

    cases: tuple[cases.Case, ...]
    spread_between_runs: float
    """The largest difference between two answers of the reference to one record."""
    atol: float


def record(reference: references.Reference, rows: Sequence[records.Record], settings: Settings) -> Recording:
    """Ask a reference for goldens.

    Raises
    ------
    GoldenError
        When it cannot answer, or answers what no case can expect.
    """
    answers = reference.predict(rows)
    _check(answers, len(rows))
    largest = 0.0
    for other in _other_answers(reference, rows):
        largest = max(largest, *(_largest_difference(answers[name], other[name]) for name in answers))
    atol = max(settings.atol, MARGIN * largest)
    chosen = choose(answers, min(settings.max_cases, len(rows)))
    made = tuple(_case(i, rows[i], answers, settings, atol) for i in chosen)
    return Recording(cases=made, spread_between_runs=largest, atol=atol)


def _check(answers: references.Outputs, count: int) -> None:
    if not answers:
        raise errors.GoldenError("the reference has no outputs")
    for name, array in answers.items():
        if not array.ndim or array.shape[0] != count:
            raise errors.GoldenError(
                f"output {name} has the shape {list(array.shape)} for {count} records: goldens are batch first"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise errors.GoldenError(f"output {name} holds NaN or Infinity: goldens must be numbers")


def _other_answers(
    reference: references.Reference, rows: Sequence[records.Record]
) -> list[references.Outputs]:
    """The same records again, whole and in small batches; a batch size that is refused is left out."""
    found = [reference.predict(rows) for _ in range(REPEATS - 1)]
    for size in BATCHES:
        try:
            parts = [reference.predict(rows[start : start + size]) for start in range(0, len(rows), size)]
        except errors.GoldenError:
            continue
        found.append({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return found


def _largest_difference(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    if left.shape != right.shape or left.dtype.kind != "f":
        return 0.0
    return float(np.abs(left.astype(float) - right.astype(float)).max(initial=0.0))


def choose(answers: references.Outputs, count: int) -> list[int]:
    """Choose records whose answers are far apart: a model that ignores its input then misses most of them."""
    flat = np.concatenate([_numbers(array) for array in answers.values()], axis=1)
    sizes = np.abs(flat).max(axis=0)
    flat = flat / np.where(sizes > 0, sizes, 1.0)
    chosen = [0]
    distance = np.linalg.norm(flat - flat[0], axis=1)
    while len(chosen) < count:
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(flat - flat[chosen[-1]], axis=1))
    return sorted(chosen)


def _numbers(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rows = array.reshape(array.shape[0], -1)
    if rows.dtype.kind == "U":
        _, codes = np.unique(rows, return_inverse=True)
        return codes.reshape(rows.shape).astype(float)
    return rows.astype(float)


def _case(
    i: int, row: records.Record, answers: references.Outputs, settings: Settings, atol: float
) -> cases.Case:
    outputs: dict[str, Any] = {}
    top_k = None
    for name, array in answers.items():
        value = array[i]
        is_wide = value.size > WIDE and not settings.full
        is_ranking = value.ndim == 1 and value.dtype.kind == "f"
        if (is_wide or settings.top_k) and is_ranking and top_k is None:
            top_k = _top_k(name, value, settings.top_k or 5)
        elif not is_wide:
            outputs[name] = [short(value)]
    if not outputs and top_k is None:
        raise errors.GoldenError(
            f"all outputs hold more than {WIDE} values for each record and are no classes: use --full"
        )
    expect = cases.Expect(outputs=outputs, top_k=top_k, rtol=settings.rtol, atol=atol)
    return cases.Case(name=f"record-{i + 1}", instances=[row], expect=expect)


def _top_k(name: str, value: np.ndarray[Any, Any], k: int) -> cases.TopK:
    k = min(k, value.size)
    order = np.argsort(-value.astype(float), kind="stable")[:k]
    return cases.TopK(output=name, k=k, classes=(tuple(int(c) for c in order),))


def short(value: np.ndarray[Any, Any]) -> Any:
    """Nested lists, with no more digits than the type holds."""
    if value.dtype.kind == "f" and value.dtype.itemsize <= 4:  # noqa: PLR2004 - float32
        return np.vectorize(lambda x: float(str(np.float32(x))), otypes=[float])(value).tolist()
    return value.tolist()


def statistics(rows: Sequence[records.Record], inputs: Sequence[str]) -> dict[str, cases.Statistics]:
    """Per feature of the last axis, over all records, for inputs that are numbers of one shape."""
    found = {}
    for name, values in records.columns(rows, inputs).items():
        try:
            array = np.asarray(values)
        except ValueError:
            continue
        if array.dtype.kind not in "fiu" or not array.size:
            continue
        flat = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).astype(float)
        if flat.shape[1] <= STATISTICS_VALUES:
            found[name] = cases.Statistics(
                mean=_digits(flat.mean(axis=0)),
                std=_digits(flat.std(axis=0)),
                min=_digits(flat.min(axis=0)),
                max=_digits(flat.max(axis=0)),
                count=flat.shape[0],
            )
    return found


def _digits(values: np.ndarray[Any, Any]) -> tuple[float, ...]:
    return tuple(float(f"{value:.7g}") for value in values)
