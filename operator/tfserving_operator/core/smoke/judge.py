"""The verdict of a smoke test, from what was recorded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans, precedence, probes, recordings, summary
from tfserving_operator.core.smoke.checks import (
    batch_invariance,
    class_collapse,
    distinct_outputs,
    evidence,
    finite,
    goldens,
    latency,
    load_answers,
    predictions,
    repeatability,
    right_version,
    signature,
)

Check = Callable[[evidence.Evidence, evidence.Setting], plans.CheckResult]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    (right_version.NAME, right_version.check),
    (predictions.NAME, predictions.check),
    (signature.NAME, signature.check),
    (finite.NAME, finite.check),
    (distinct_outputs.NAME, distinct_outputs.check),
    (class_collapse.NAME, class_collapse.check),
    (repeatability.NAME, repeatability.check),
    (batch_invariance.NAME, batch_invariance.check),
    (goldens.NAME, goldens.check),
    (load_answers.NAME, load_answers.check),
    (latency.NAME, latency.check),
)
"""Every check, in the order in which status lists them."""


def run_checks(found: evidence.Evidence) -> tuple[plans.CheckResult, ...]:
    """Make every check that is not off.

    What keeps a test from having a verdict at all does so in every mode.
    """
    results = []
    for name, check in CHECKS:
        setting = evidence.setting(found.request.checks, name)
        if setting.mode is evidence.Mode.Off and name != predictions.NAME:
            continue
        result = check(found, setting)
        if result.reason in list(plans.NoVerdict):
            results.append(result)
        elif setting.mode is not evidence.Mode.Off:
            is_enforced = result.enforced if setting.mode is None else setting.mode is evidence.Mode.Enforce
            results.append(replace(result, enforced=is_enforced))
    return tuple(results)


def plan_probes(
    request: plans.TestRequest, recording: recordings.Recording
) -> dict[str, tuple[cases.Case, ...]]:
    """Plan the changed cases that may tell why the recorded answers fail, by probe; {} where there is nothing to tell."""
    found = evidence.gather(request, recording)
    return probes.plan(found, [r for r in run_checks(found) if r.verdict == reasons.Verdict.Fail])


def is_unblamed(request: plans.TestRequest, recording: recordings.Recording) -> bool:
    """Whether the recorded answers neither fail the model nor lack a reason to go on."""
    verdict, _, _ = _verdict(recording, run_checks(evidence.gather(request, recording)))
    return verdict in (reasons.Verdict.Pass, reasons.Verdict.Inconclusive)


def judge(
    request: plans.TestRequest,
    resolved: cases.ResolvedCases,
    recording: recordings.Recording,
    started_at: datetime,
    finished_at: datetime,
) -> plans.TestOutcome:
    """Judge a recorded test.

    A failure of the model outranks everything: one pod's evidence is not undone by another's silence. Then comes
    what kept the test from running, then what could not be decided.
    """
    found = evidence.gather(request, recording)
    results = tuple(
        probes.explain(found, result) if result.verdict == reasons.Verdict.Fail else result
        for result in run_checks(found)
    )
    verdict, reason, told = _verdict(recording, results)
    out_of_memory = any(result.reason == reasons.Reason.OOMKilled for result in results)
    return plans.TestOutcome(
        verdict=verdict,
        reason=str(reason),
        cause=told.cause if told else "",
        message=told.message if told else _summary(request, recording, verdict),
        checks=results,
        cases_digest=resolved.digest,
        pinned_cases=resolved.canonical,
        started_at=started_at,
        finished_at=finished_at,
        out_of_memory=out_of_memory,
        starved_pod=predictions.starved_pod(recording) if out_of_memory else "",
        recorded=summary.summarise(found),
    )


def _verdict(
    recording: recordings.Recording, results: Sequence[plans.CheckResult]
) -> tuple[reasons.Verdict | None, str, plans.CheckResult | None]:
    enforced = [result for result in results if result.enforced]
    if failure := precedence.first_failure(enforced):
        return reasons.Verdict.Fail, failure.reason, failure
    if silence := precedence.first_silence(enforced):
        return None, silence.reason, silence
    if recording.timed_out:
        return None, plans.NoVerdict.TestCannotRun, None
    unsure = [result for result in enforced if result.verdict == reasons.Verdict.Inconclusive]
    if unsure:
        return reasons.Verdict.Inconclusive, reasons.Reason.Inconclusive, unsure[0]
    return reasons.Verdict.Pass, reasons.Reason.Passed, None


def _summary(
    request: plans.TestRequest, recording: recordings.Recording, verdict: reasons.Verdict | None
) -> str:
    answered = sum(answer.succeeded for _pod, _case, answer in recording.every_answer())
    wanted = len(recording.sent) * len(recording.targets)
    if verdict is None:
        return f"after {request.timeout_seconds:g} s, {answered} of {wanted} predictions were answered"
    kind = "made input" if recording.made else "case"
    sent, pods = _counted(len(recording.sent), kind), _counted(len(recording.targets), "pod")
    return f"{sent} on {pods}: {answered} of {wanted} answered as they should"


def _counted(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
