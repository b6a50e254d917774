"""What every check reads, and the form of what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, plans, recordings

MESSAGE_CHARACTERS: Final = 500
EVIDENCE_CHARACTERS: Final = 4000
"""Of a check's result, which the log shows in full; status shows the first few hundred."""


class Mode(StrEnum):
    """What a check's failure leads to."""

    Enforce = "Enforce"
    """means a failure fails the test"""
    Warn = "Warn"
    """means a failure is reported"""
    Off = "Off"
    """means the check is not made"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One test's request and recording, with every output under its own name."""

    request: plans.TestRequest
    recording: recordings.Recording
    signature: inspection.Signature | None
    """As the candidate serves it."""


def gather(request: plans.TestRequest, recording: recordings.Recording) -> Evidence:
    """Prepare a recording for the checks: an only output, which comes without a name, gets its signature's."""
    control = recording.control
    control_name = request.control_signature_name or request.signature_name
    return Evidence(
        request=request,
        recording=replace(
            recording,
            targets=tuple(_with_names(pod, request.signature_name) for pod in recording.targets),
            control=_with_names(control, control_name) if control else None,
        ),
        signature=recording.signature(request.signature_name),
    )


def _with_names(pod: recordings.PodRecording, signature_name: str) -> recordings.PodRecording:
    signature = pod.metadata.signatures.get(signature_name) if pod.metadata else None
    if signature is None or len(signature.outputs) != 1:
        return pod
    known: dict[int, answers.Answer] = {}

    def name(answer: answers.Answer) -> answers.Answer:
        # Equal answers are one object, and stay one: that saves comparing them.
        return known.setdefault(id(answer), named(answer, signature))

    def batch(each: recordings.Batch | None) -> recordings.Batch | None:
        return replace(each, answer=name(each.answer)) if each is not None else None

    return replace(
        pod,
        answered={case: name(answer) for case, answer in pod.answered.items()},
        repeated={case: name(answer) for case, answer in pod.repeated.items()},
        alone={case: tuple(name(answer) for answer in each) for case, each in pod.alone.items()},
        together=batch(pod.together),
        permuted=batch(pod.permuted),
    )


def named(answer: answers.Answer, signature: inspection.Signature | None) -> answers.Answer:
    """Give an only output the name that the signature has for it."""
    if signature is None or len(signature.outputs) != 1 or answers.ONLY_OUTPUT not in answer.outputs:
        return answer
    return replace(answer, outputs={next(iter(signature.outputs)): answer.outputs[answers.ONLY_OUTPUT]})


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """How one check is set."""

    mode: Mode | None
    """None: the check itself says whether its failure fails the test."""
    options: Mapping[str, Any]

    def number(self, name: str, default: float) -> float:
        """Give a threshold."""
        value = self.options.get(name)
        return float(value) if isinstance(value, int | float) else default


def setting(checks: Mapping[str, Any], name: str) -> Setting:
    """Read `spec.smoke.checks.<name>`: {mode: Warn, …} or just Warn."""
    raw = checks.get(name)
    options = raw if isinstance(raw, Mapping) else {"mode": raw}
    mode = options.get("mode")
    return Setting(mode=Mode(mode) if mode in list(Mode) else None, options=options)


def passed(name: str, message: str = "", evidence: str = "") -> plans.CheckResult:
    """Nothing speaks against the model."""
    return _result(name=name, verdict=reasons.Verdict.Pass, message=message, evidence=evidence)


def failed(
    name: str, reason: str, message: str, *, cause: str = "", evidence: str = "", is_sure: bool = True
) -> plans.CheckResult:
    """The answers are evidence against the model; where they are not sure evidence, that is only reported."""
    return replace(
        _result(
            name=name,
            verdict=reasons.Verdict.Fail,
            reason=reason,
            cause=cause,
            message=message,
            evidence=evidence,
        ),
        enforced=is_sure,
    )


def inconclusive(name: str, message: str, evidence: str = "") -> plans.CheckResult:
    """The answers cannot decide."""
    verdict, reason = reasons.Verdict.Inconclusive, reasons.Reason.Inconclusive
    return _result(name=name, verdict=verdict, reason=reason, message=message, evidence=evidence)


def not_run(name: str, reason: plans.NoVerdict, message: str) -> plans.CheckResult:
    """There are no answers of the model's to judge."""
    return _result(name=name, verdict=reasons.Verdict.Inconclusive, reason=reason, message=message)


def _result(
    *,
    name: str,
    verdict: reasons.Verdict,
    reason: str = "",
    cause: str = "",
    message: str = "",
    evidence: str = "",
) -> plans.CheckResult:
    return plans.CheckResult(
        name=name,
        verdict=verdict,
        enforced=True,
        reason=str(reason),
        cause=cause,
        message=_cut(message, MESSAGE_CHARACTERS),
        evidence=_cut(evidence, EVIDENCE_CHARACTERS),
    )


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
