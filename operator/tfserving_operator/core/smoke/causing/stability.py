"""The same request, another answer: what in the graph may do that, and how the answers wander."""

from typing import Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.causing import seen
from tfserving_operator.core.smoke.causing.story import Story, by_clue, clue
from tfserving_operator.core.smoke.checks import evidence

_CLUES: Final = (
    (
        inspection.Clue.InputDisconnected,
        causes.Cause.InputDisconnected,
        "No path leads from the input to the output, which is computed from something else",
    ),
    (inspection.Clue.DropoutActive, causes.Cause.DropoutActive, "The graph drops activations at random"),
    (inspection.Clue.Augmentation, causes.Cause.AugmentationActive, "The graph changes its inputs at random"),
    (inspection.Clue.TimeOps, causes.Cause.TimeDependent, "The graph reads the clock"),
    (inspection.Clue.StateUpdates, causes.Cause.StateDrift, "A prediction changes the model's state"),
    (inspection.Clue.RandomOps, causes.Cause.RandomOutputs, "The graph draws random numbers"),
)
"""What makes answers unstable, the most particular first."""
_WITHOUT_DRIFT: Final = (*_CLUES[:-2], _CLUES[-1], _CLUES[-2])
"""The same for answers that wander in no direction: a generator of random numbers keeps a state, too."""
_MIN_DRIFTS: Final = 3
_EVEN: Final = 0.3
"""How far steps of a drift are apart, relative to their mean; random ones are apart by more than 1."""


def explain(found: evidence.Evidence) -> Story | None:
    """Tell why repeated requests get other answers; None where they do not."""
    rows = seen.gather(found)
    differing = seen.differing(rows.written, rows.repeated)
    if not differing:
        return None
    if any(seen.is_shuffled(keys, rows.written, rows.repeated) for keys in seen.groups(rows.written)):
        told = "The rows of a batch are answered in another order each time"
        return Story(cause=causes.Cause.RowOrder, told=told)
    if story := _named_dropout(found):
        return story
    is_drift = _drifts(rows, differing)
    for kind, cause, text in _CLUES if is_drift else _WITHOUT_DRIFT:
        if story := by_clue(found, kind, cause, text):
            return story
    many = f"{len(differing)} of {len(rows.repeated)} rows get another answer when they are sent again"
    if is_drift:
        told = f"{many}, each time by about the same step"
        return Story(cause=causes.Cause.StateDrift, told=told)
    return Story(cause=causes.Cause.RandomOutputs, told=many)


def _named_dropout(found: evidence.Evidence) -> Story | None:
    """Tell dropout by its layer's name where it is not multiplied in the usual way."""
    if by_clue(found, inspection.Clue.InputDisconnected, causes.Cause.InputDisconnected, ""):
        return None
    for kind in (inspection.Clue.RandomOps, inspection.Clue.StateUpdates):
        detail = clue(found, kind) or ""
        if "dropout" in detail.lower():
            told = f"The graph draws random numbers in a dropout layer ({detail})"
            return Story(cause=causes.Cause.DropoutActive, told=told)
    return None


def _drifts(rows: seen.Seen, differing: list[seen.Key]) -> bool:
    """Whether the second answers are all off in one direction, and by about as much."""
    for name in rows.written[differing[0]]:
        steps = []
        for key in differing:
            one, other = rows.written[key].get(name), rows.repeated[key].get(name)
            if (
                one is None
                or other is None
                or one.shape != other.shape
                or not {one.dtype.kind, other.dtype.kind} <= set("fiu")
            ):
                return False
            steps.append((other.astype(float) - one.astype(float)).mean())
        found = np.asarray(steps)
        mean = float(np.abs(found.mean()))
        is_even = len(found) >= _MIN_DRIFTS and bool((np.sign(found) == np.sign(found[0])).all())
        if is_even and mean > 0 and float(found.std()) < _EVEN * mean:
            return True
    return False
