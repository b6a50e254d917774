"""Which of several reasons is the one that a test is named after."""

from collections.abc import Iterable
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans

REASON_ORDER: Final = (
    reasons.Reason.OOMKilled,
    reasons.Reason.WrongVersion,
    reasons.Reason.ServedVersionLost,
    reasons.Reason.PredictionFailed,
    reasons.Reason.SignatureMismatch,
    reasons.Reason.NonFiniteOutputs,
    reasons.Reason.IdenticalOutputs,
    reasons.Reason.CollapsedClasses,
    reasons.Reason.UnstableOutputs,
    reasons.Reason.BatchDependentOutputs,
    reasons.Reason.GoldenMismatch,
    reasons.Reason.LoadDependentOutputs,
    reasons.Reason.SlowPredictions,
)
"""Which failure is named when several checks fail: the earlier one explains the later ones."""

NO_VERDICT_ORDER: Final = (
    plans.NoVerdict.CasesMissing,
    plans.NoVerdict.CasesInvalid,
    plans.NoVerdict.PodUnreachable,
    plans.NoVerdict.TestCannotRun,
)
"""Which is named when there are several reasons why there is no verdict: the user's own first."""


def first_failure(results: Iterable[plans.CheckResult]) -> plans.CheckResult | None:
    """Choose the failure that explains the others."""
    failed = [result for result in results if result.verdict == reasons.Verdict.Fail]
    return min(failed, key=lambda result: REASON_ORDER.index(reasons.Reason(result.reason)), default=None)


def first_silence(results: Iterable[plans.CheckResult]) -> plans.CheckResult | None:
    """Choose what there is no verdict for."""
    silent = [result for result in results if result.reason in NO_VERDICT_ORDER]
    return min(
        silent, key=lambda result: NO_VERDICT_ORDER.index(plans.NoVerdict(result.reason)), default=None
    )
