"""The cause of a failure: rules over what was recorded, and searches by changed inputs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, causes, plans
from tfserving_operator.core.smoke.causing import table
from tfserving_operator.core.smoke.causing.story import Story
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes import (
    affine,
    asking,
    examples,
    features,
    grading,
    layout,
    rounding,
    scaling,
    texts,
    tokens,
    units,
    waking,
)

PROBED: Final = (
    reasons.Reason.PredictionFailed,
    reasons.Reason.SignatureMismatch,
    reasons.Reason.IdenticalOutputs,
    reasons.Reason.CollapsedClasses,
    reasons.Reason.GoldenMismatch,
)
"""The failures that changed inputs may explain."""
_SPLIT: Final = 260
"""Characters of a failure's own message that are kept beside the cause."""

_MEANINGS: Final = {
    causes.Cause.UnscaledInput: "the model gets unscaled inputs",
    causes.Cause.ScaledTwice: "the inputs are scaled twice",
    causes.Cause.ScalerMismatch: "the scaler is another one than in training",
    causes.Cause.ChannelOrder: "red and blue are in each other's place",
    causes.Cause.ChannelsAxis: "the axes are in another order than the model's",
    causes.Cause.FeatureOrder: "features arrive in another order than in training",
    causes.Cause.FeaturesDefaulted: "the model takes its defaults for them",
    causes.Cause.TokenIdsShifted: "the ids are those of another tokenizer",
    causes.Cause.RawText: "the model takes tokens, and gets whole texts",
    causes.Cause.OutOfVocabulary: "the model knows none of these words",
    causes.Cause.OneHotIndex: "classes are encoded in another way than in training",
    causes.Cause.SequenceMasked: "the whole sequence is hidden from the model",
    causes.Cause.DeadActivations: "its activations are zero for every normal input",
    causes.Cause.CollapsedBatchNorm: "batch normalisation divides by a huge variance",
    causes.Cause.IntegerTruncation: "fractions are cut off",
    causes.Cause.LowPrecision: "the model computes with few bits",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Results:
    """What the searches found."""

    restoring: Sequence[grading.Finding] = ()
    waking: Sequence[grading.Finding] = ()
    cutting: Sequence[grading.Finding] = ()
    close: Sequence[grading.Finding] = ()


def plan(
    found: evidence.Evidence, failures: Sequence[plans.CheckResult]
) -> dict[str, tuple[cases.Case, ...]]:
    """Plan the next changed cases to send to the first pod, by probe; {} where no more can be told."""
    told = {failure.reason for failure in failures}
    probed = [reason for reason in PROBED if reason in told]
    if not probed or all(table.first(table.BEFORE, found, reason) for reason in probed):
        return {}
    sample = units.gather(found)
    if sample is None:
        return {}
    ledger = asking.Ledger(recorded=found.recording)
    asking.replay(_search(sample), sample, ledger, until_pending=True)
    return ledger.pending


def explain(found: evidence.Evidence, failure: plans.CheckResult) -> plans.CheckResult:
    """Name the cause of a failure, where it can be told; two that explain it equally are both named."""
    if failure.cause:
        return _told(failure, [failure.cause], "") if failure.cause in causes.REMEDIES else failure
    if story := table.first(table.BEFORE, found, failure.reason):
        return _of_story(failure, story)
    if failure.reason not in PROBED:
        return failure
    asked = _Asked(found=found, failure=failure, results=_results(found))
    for step in _STEPS:
        explained = step(asked)
        if explained is not None:
            return explained
    return failure


def _results(found: evidence.Evidence) -> _Results:
    sample = units.gather(found)
    if sample is None:
        return _Results()
    ledger = asking.Ledger(recorded=found.recording)
    return asking.replay(_search(sample), sample, ledger, until_pending=False) or _Results()


def _search(sample: units.Sample) -> asking.Search[_Results]:
    """All searches, until one of them explains the answers."""
    restoring, close = yield from _restore(sample)
    if restoring or _has_story(sample):
        return _Results(restoring=restoring)
    alike = waking.recorded_spread(sample) <= waking.ALIKE and len(sample.units) > 1
    if alike and any(unit.answered for unit in sample.units):
        woken = yield from waking.search(sample)
        return _Results(waking=woken, close=close)
    cutting = yield from rounding.search(sample)
    return _Results(cutting=cutting, close=close)


def _restore(
    sample: units.Sample,
) -> asking.Search[tuple[list[grading.Finding], list[grading.Finding]]]:
    """What restores the goldens, the simplest first, and what comes close."""
    close: list[grading.Finding] = []
    for name, candidates in (("inputs", _single(sample)), ("shapes", _reshaping(sample))):
        found = yield from grading.screen(name, sample, list(candidates))
        restoring = [finding for finding in found if finding.tier != grading.Tier.Close]
        if restoring:
            return restoring, []
        close += found
    for search in (features.search, affine.search):
        found = yield from search(sample)
        restoring = [finding for finding in found if finding.tier != grading.Tier.Close]
        if restoring:
            return restoring, []
        close += found
    return [], close


def _single(sample: units.Sample) -> Iterator[grading.Candidate]:
    yield from scaling.candidates(sample)
    yield from (c for c in layout.candidates(sample) if not c.group)
    yield from tokens.shifted(sample)
    yield from tokens.masks(sample)
    yield from texts.candidates(sample)
    yield from examples.candidates(sample)


def _reshaping(sample: units.Sample) -> Iterator[grading.Candidate]:
    yield from (c for c in layout.candidates(sample) if c.group)
    yield from tokens.one_hot(sample)


def _has_story(sample: units.Sample) -> bool:
    """Whether a rule explains what no change of the inputs does, so that no more need be asked."""
    return any(table.first(table.AFTER, sample.found, reason) for reason in PROBED)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A failure, and all that may explain it."""

    found: evidence.Evidence
    failure: plans.CheckResult
    results: _Results


Step = Callable[[_Asked], plans.CheckResult | None]


def _by_restoring(asked: _Asked) -> plans.CheckResult | None:
    return _of_findings(asked.failure, "They agree when", asked.results.restoring)


def _by_rules_after(asked: _Asked) -> plans.CheckResult | None:
    story = table.first(table.AFTER, asked.found, asked.failure.reason)
    return _of_story(asked.failure, story) if story else None


def _by_waking(asked: _Asked) -> plans.CheckResult | None:
    particular = [f for f in asked.results.waking if f.cause is not causes.Cause.ConstantOutput]
    return _of_findings(asked.failure, "", particular)


def _by_cutting(asked: _Asked) -> plans.CheckResult | None:
    return _of_findings(asked.failure, "", asked.results.cutting)


def _by_coming_close(asked: _Asked) -> plans.CheckResult | None:
    close = sorted(asked.results.close, key=lambda finding: finding.left)[:1]
    left = f" ({close[0].left:.0%} of the error is left)" if close else ""
    return _of_findings(asked.failure, "They come close when", close, left)


def _by_last_rules(asked: _Asked) -> plans.CheckResult | None:
    story = table.first(table.LAST, asked.found, asked.failure.reason)
    return _of_story(asked.failure, story) if story else None


def _by_constancy(asked: _Asked) -> plans.CheckResult | None:
    """Real numbers that nothing moves; one class for all may be a matter of training instead."""
    return _of_findings(asked.failure, "", asked.results.waking) if _is_real(asked.found) else None


def _by_anything(asked: _Asked) -> plans.CheckResult | None:
    is_identical = asked.failure.reason == reasons.Reason.IdenticalOutputs
    return _of_findings(asked.failure, "", asked.results.waking) if is_identical else None


def _is_real(found: evidence.Evidence) -> bool:
    sample = units.gather(found)
    answered = [array for unit in sample.units for array in unit.answered.values()] if sample else []
    return any(array.dtype.kind == "f" and bool((array != array.round()).any()) for array in answered)


_STEPS: Final[tuple[Step, ...]] = (
    _by_restoring,
    _by_rules_after,
    _by_waking,
    _by_cutting,
    _by_coming_close,
    _by_constancy,
    _by_last_rules,
    _by_anything,
)
"""What is tried after the rules that need no request, in this order."""


def _of_findings(
    failure: plans.CheckResult, start: str, findings: Sequence[grading.Finding], left: str = ""
) -> plans.CheckResult | None:
    if not findings:
        return None
    named = list(dict.fromkeys(finding.cause for finding in findings))
    firsts = [next(f.when for f in findings if f.cause is cause) for cause in named]
    meaning = _MEANINGS.get(named[0], "") if len(named) == 1 else ""
    said = f"{start} {' or '.join(firsts)}".strip() + left
    return _told(failure, named, f"{said}: {meaning}" if meaning else said, joint="; " if meaning else ": ")


def _of_story(failure: plans.CheckResult, story: Story) -> plans.CheckResult:
    return _told(failure, [story.cause], story.told)


def _told(
    failure: plans.CheckResult, named: Sequence[str], said: str, *, joint: str = ": "
) -> plans.CheckResult:
    """Put the cause, how it is known and the remedy into a failure."""
    remedies = "; or ".join(dict.fromkeys(causes.REMEDIES[causes.Cause(cause)] for cause in named))
    own = failure.message.rstrip(".")
    rest = f"{said}{joint}{remedies}" if said else remedies
    space = evidence.MESSAGE_CHARACTERS - len(rest) - 2
    kept = _cut(own, max(space, _SPLIT))
    message = f"{kept}. {rest[:1].upper()}{rest[1:]}"
    return replace(failure, cause=" or ".join(named), message=_cut(message, evidence.MESSAGE_CHARACTERS))


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
