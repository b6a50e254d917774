"""Which explanations are tried, and in which order: the first that holds is the one that is told.

A rule before the probes needs no request, and what it says leaves no doubt. The probes come next: a change of the
inputs that restores all goldens is nearly proof. Then come rules that only hold when no such change was found, and
last the changes that make equal answers differ or come close to the goldens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.causing import batches, files, outputs, stability
from tfserving_operator.core.smoke.causing.story import Story, by_clue
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import units, waking

R = reasons.Reason
_WRONG: Final = frozenset({R.GoldenMismatch, R.CollapsedClasses})
_IDENTICAL: Final = frozenset({R.IdenticalOutputs})
_PROBED: Final = _WRONG | _IDENTICAL
_BATCH: Final = frozenset({R.BatchDependentOutputs})
_UNSTABLE: Final = frozenset({R.UnstableOutputs})
_REFUSED: Final = frozenset({R.PredictionFailed, R.SignatureMismatch})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One explanation."""

    reasons: frozenset[reasons.Reason]
    """The failures that it may explain."""
    tell: Callable[[evidence.Evidence], Story | None]


def _batch_norm_clue(found: evidence.Evidence) -> Story | None:
    text = "Batch normalisation takes its statistics from the batch"
    clue, cause = inspection.Clue.BatchNormTraining, causes.Cause.BatchNormTraining
    return by_clue(found, clue, cause, text)


def _augmentation_clue(found: evidence.Evidence) -> Story | None:
    text = "The graph changes its inputs as in training"
    return by_clue(found, inspection.Clue.Augmentation, causes.Cause.AugmentationActive, text)


def _dropout_clue(found: evidence.Evidence) -> Story | None:
    text = "The graph drops activations as in training"
    return by_clue(found, inspection.Clue.DropoutActive, causes.Cause.DropoutActive, text)


def _cast_clue(found: evidence.Evidence) -> Story | None:
    text = "The graph cuts real numbers to integers"
    return by_clue(found, inspection.Clue.IntegerCast, causes.Cause.IntegerTruncation, text)


def _time_clue(found: evidence.Evidence) -> Story | None:
    return by_clue(found, inspection.Clue.TimeOps, causes.Cause.TimeDependent, "The graph reads the clock")


def _state_clue(found: evidence.Evidence) -> Story | None:
    text = "A prediction changes the model's state"
    return by_clue(found, inspection.Clue.StateUpdates, causes.Cause.StateDrift, text)


def _random_clue(found: evidence.Evidence) -> Story | None:
    text = "The graph draws random numbers"
    return by_clue(found, inspection.Clue.RandomOps, causes.Cause.RandomOutputs, text)


def _disconnected(found: evidence.Evidence) -> Story | None:
    return files.disconnected(found) if _is_constant(found) else None


def _constant(found: evidence.Evidence) -> Story | None:
    return files.constant(found) if _is_constant(found) else None


def _is_constant(found: evidence.Evidence) -> bool:
    """Whether all answers are one but for rounding: batches of other sizes differ in the last bits."""
    sample = units.gather(found)
    return sample is not None and len(sample.units) > 1 and waking.recorded_spread(sample) <= waking.ALIKE


def _stale_labels(found: evidence.Evidence) -> Story | None:
    """Tell that the labels are renamed because their file is another one."""
    return files.asset(found) if outputs.label_order(found) is not None else None


def _load(found: evidence.Evidence) -> Story | None:
    for load in found.recording.load:
        if load.differing:
            told = f"{load.differing} of {load.compared} answers under load are not those to the same requests alone"
            return Story(cause=causes.Cause.LoadDependent, told=told)
    return None


BEFORE: Final = (
    Rule(reasons=_UNSTABLE | _BATCH | _WRONG, tell=stability.explain),
    Rule(reasons=_BATCH | _WRONG, tell=batches.row_order),
    Rule(reasons=_PROBED | _BATCH | _REFUSED, tell=batches.wrong_axis),
    Rule(reasons=_PROBED | _BATCH, tell=batches.batch_norm),
    Rule(reasons=frozenset({R.LoadDependentOutputs}), tell=_load),
    Rule(reasons=_IDENTICAL, tell=files.disconnected),
    Rule(reasons=_IDENTICAL, tell=files.constant),
    Rule(reasons=_WRONG, tell=_disconnected),
    Rule(reasons=_WRONG, tell=_constant),
    Rule(reasons=_PROBED, tell=files.vocabulary),
    Rule(reasons=_WRONG, tell=_stale_labels),
    Rule(reasons=_WRONG, tell=outputs.label_order),
    Rule(reasons=_WRONG, tell=files.stale_weights),
)
"""Without requests, and without doubt."""

AFTER: Final = (
    Rule(reasons=_PROBED, tell=files.defaulted),
    Rule(reasons=_PROBED, tell=files.reinitialised),
    Rule(reasons=_WRONG, tell=outputs.truncated),
    Rule(reasons=_WRONG, tell=outputs.low_precision),
    Rule(reasons=_PROBED, tell=files.asset),
    Rule(reasons=_WRONG, tell=_time_clue),
    Rule(reasons=_WRONG, tell=_batch_norm_clue),
    Rule(reasons=_WRONG, tell=_dropout_clue),
    Rule(reasons=_WRONG, tell=_augmentation_clue),
)
"""When no change of the inputs restores the goldens."""

LAST: Final = (
    Rule(reasons=_WRONG, tell=files.stale_answers),
    Rule(reasons=_WRONG, tell=_cast_clue),
    Rule(reasons=_PROBED, tell=outputs.dominant),
    Rule(reasons=_WRONG, tell=_state_clue),
    Rule(reasons=_WRONG, tell=_random_clue),
)
"""When nothing else explains the answers."""


def first(rules: tuple[Rule, ...], found: evidence.Evidence, reason: str) -> Story | None:
    """Tell the first story that holds for a failure."""
    for rule in rules:
        if reason in rule.reasons and (story := rule.tell(found)) is not None:
            return story
    return None
