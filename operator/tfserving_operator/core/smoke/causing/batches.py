"""Answers that depend on the batch: on its order, on its statistics, on its size."""

from typing import Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.causing import seen
from tfserving_operator.core.smoke.causing.story import Story, by_clue
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import units

_ONE: Final = 1e-4
_MATRIX: Final = 2


def row_order(found: evidence.Evidence) -> Story | None:
    """Tell that rows come back in another order than they were sent in."""
    rows = seen.gather(found)
    alone, joint = rows.alone, tuple(rows.together)
    shuffled = (
        any(seen.is_shuffled(keys, rows.alone, rows.written) for keys in seen.groups(rows.written))
        or seen.is_shuffled(joint, alone, rows.together)
        or seen.is_shuffled(joint, alone, rows.permuted)
        or seen.is_shuffled(joint, rows.together, rows.permuted)
    )
    if shuffled:
        told = "In a batch, the rows get each other's answers"
        detail = by_clue(found, inspection.Clue.BatchShuffled, causes.Cause.RowOrder, told)
        return detail or Story(cause=causes.Cause.RowOrder, told=told)
    return _golden_order(found)


def _golden_order(found: evidence.Evidence) -> Story | None:
    """Whether every case's answers are its goldens in another order."""
    sample = units.gather(found)
    if sample is None or not sample.by_row:
        return None
    by_case: dict[str, list[units.Unit]] = {}
    for unit in sample.units:
        if unit.golden:
            by_case.setdefault(unit.case, []).append(unit)
    wrong = [each for each in by_case.values() if any(unit.excess > 1.0 for unit in each)]
    if not wrong or not all(len(each) > _MATRIX and _is_matched(each) for each in wrong):
        return None
    told = "The answers are those of the goldens, in another order of rows"
    return Story(cause=causes.Cause.RowOrder, told=told)


def _is_matched(each: list[units.Unit]) -> bool:
    left = list(each)
    for unit in each:
        match = next((o for o in left if unit.golden and unit.golden.excess(o.answered, 1)[0] <= 1.0), None)
        if match is None:
            return False
        left.remove(match)
    return True


def wrong_axis(found: evidence.Evidence) -> Story | None:
    """Tell that classes compete over the rows of a batch rather than within a row."""
    rows = seen.gather(found)
    for name in _names(rows):
        if _is_one_alone(rows.alone, name) and _sums_to_one(rows, name):
            told = f"{name} is 1 for every class of a row alone, and sums to 1 over the rows of a batch"
            return Story(cause=causes.Cause.WrongAxis, told=told)
        if problem := _is_transposed(found, rows, name):
            return Story(cause=causes.Cause.WrongAxis, told=problem)
    return None


def _names(rows: seen.Seen) -> list[str]:
    return sorted({name for shapes in rows.shapes.values() for name in shapes})


def _is_one_alone(alone: seen.Rows, name: str) -> bool:
    each = [row[name] for row in alone.values() if name in row and row[name].dtype.kind == "f"]
    return len(each) > 1 and all(row.size > 1 and bool((np.abs(row - 1.0) < _ONE).all()) for row in each)


def _sums_to_one(rows: seen.Seen, name: str) -> bool:
    """Whether batches sum to 1 over their rows; true where there were none, since ones alone say enough."""
    batches = [rows.together] if rows.together else []
    batches += [{k: rows.written[k] for k in keys} for keys in seen.groups(rows.written) if len(keys) > 1]
    for batch in batches:
        stack = [row[name] for row in batch.values() if name in row]
        if len({row.shape for row in stack}) == 1 and stack[0].dtype.kind == "f":
            total = np.stack(stack).sum(axis=0)
            if not bool((np.abs(total - 1.0) < _ONE).all()):
                return False
    return True


def _is_transposed(found: evidence.Evidence, rows: seen.Seen, name: str) -> str:
    """Say that an output of class numbers has one for each class rather than for each row."""
    for case in rows.sent:
        shape = rows.shapes.get(case.name, {}).get(name)
        golden = case.expect.outputs.get(name) if case.expect else None
        answer = found.recording.targets[0].answered.get(case.name)
        if shape is None or golden is None or answer is None or name not in answer.outputs:
            continue
        want, got = np.asarray(golden), answer.outputs[name]
        is_index = got.dtype.kind in "iu" or bool(
            (got == np.round(got)).all() if got.dtype.kind == "f" else False
        )
        if (
            is_index
            and want.ndim == got.ndim == 1
            and len(want) != len(got)
            and bool((got < len(want)).all())
        ):
            return (
                f"{name} has {len(got)} values for {len(want)} rows, each the number of a row: not one a row"
            )
    return ""


def batch_norm(found: evidence.Evidence) -> Story | None:
    """Tell that an answer depends on the other rows of its batch."""
    rows = seen.gather(found)
    apart = seen.differing(rows.alone, rows.together) or seen.differing(rows.alone, rows.written)
    apart = apart or seen.differing(rows.together, rows.permuted)
    if not apart:
        return None
    cause = causes.Cause.BatchNormTraining
    text = "Batch normalisation takes its statistics from the batch"
    if story := by_clue(found, inspection.Clue.BatchNormTraining, cause, text):
        return story
    in_batches = rows.together or rows.written
    if seen.all_same(rows.alone) and not seen.all_same(in_batches):
        told = "All rows get one answer when they are sent alone, and different ones in a batch"
        return Story(cause=cause, told=told)
    told = f"{len(apart)} rows get another answer alone than in a batch"
    return Story(cause=causes.Cause.BatchDependent, told=told)
