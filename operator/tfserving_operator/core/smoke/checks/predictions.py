"""Every pod of the candidate answers every case.

An error is evidence against the model only when nothing else explains it. What explains it instead: no
connection, a proxy in between, a full queue, a case that does not fit the signature, an input that the operator
made up. A refused case is the case's fault, unless the active revision answers the very same case: then
the new version no longer takes what clients send, and that is evidence.
"""

from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import allocations
from tfserving_operator.core.smoke import answers, cases, causes, plans, precedence, recordings, signatures
from tfserving_operator.core.smoke.checks import distinct_outputs, evidence, right_version

NAME: Final = "predictionSucceeds"
ABSURD_BYTES: Final = 2**40
"""For one tensor: a made input that asks for so much was taken for a size, which says nothing of the model."""
CASE_FAULTS: Final = (
    "does not have named input",
    "Missing named input",
    "not found in signature def",
    "No signature was found",
    "is not of expected type",
    "JSON Parse error",
    "Failed to process element",
    "input size does not match signature",
    "is larger than maximum input batch size",
)
"""What TensorFlow Serving says of a request that does not fit the signature."""
_MADE_HINT: Final = "; the inputs were made from the signature: add smoke.cases with real ones"
_REFUSED: Final = 400
_BUSY: Final = (401, 403, 429, 503, 504)
_UNIMPLEMENTED: Final = 501
_NO_VERDICT: Final = {
    answers.Trouble.Unreachable: plans.NoVerdict.PodUnreachable,
    answers.Trouble.Closed: plans.NoVerdict.TestCannotRun,
    answers.Trouble.TimedOut: plans.NoVerdict.TestCannotRun,
    answers.Trouble.TooLarge: plans.NoVerdict.TestCannotRun,
    answers.Trouble.Foreign: plans.NoVerdict.TestCannotRun,
}


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge every answer that is not an output."""
    results = [_opening(pod) for pod in found.recording.targets]
    results += [
        _judge(found, pod, case, answer)
        for pod, case, answer in found.recording.every_answer()
        if not answer.succeeded
    ]
    results += [_load(load) for load in found.recording.load]
    said = [result for result in results if result is not None]
    if told := precedence.first_failure(said) or precedence.first_silence(said):
        return told
    if said and not _enough_made(found):
        return said[0]
    if found.recording.not_made:
        return evidence.inconclusive(NAME, found.recording.not_made)
    return evidence.passed(NAME, said[0].message if said else "")


def _enough_made(found: evidence.Evidence) -> bool:
    """Whether each pod answered enough made inputs: that the others are refused then says nothing of the model."""
    return found.recording.made and all(
        sum(answer.succeeded for answer in pod.answered.values()) >= distinct_outputs.MIN_INPUTS
        for pod in found.recording.targets
    )


def _opening(pod: recordings.PodRecording) -> plans.CheckResult | None:
    trouble = pod.opening.trouble if pod.opening else None
    if pod.opening is None or trouble is None:
        return None
    return evidence.not_run(NAME, _NO_VERDICT[trouble], f"pod {pod.pod}: {pod.opening.detail}")


def _load(load: recordings.LoadRecording) -> plans.CheckResult | None:
    for answer in load.failures:
        where = f"pod {load.pod} under load, {load.failed} of {load.sent} requests failed"
        if refused := allocations.refusal(answer.error):
            return _out_of_memory(f"{where}: {answer.error}", refused)
        if answer.trouble is not None:
            return evidence.not_run(NAME, _NO_VERDICT[answer.trouble], f"{where}: {answer.detail}")
    return None


def starved_pod(recording: recordings.Recording) -> str:
    """The first pod whose allocator refused a prediction its memory, "" where none did."""
    starved = [pod.pod for pod, _, answer in recording.every_answer() if allocations.refusal(answer.error)]
    starved += [
        load.pod for load in recording.load if any(allocations.refusal(a.error) for a in load.failures)
    ]
    return next(iter(starved), "")


def _out_of_memory(message: str, refused: allocations.Refusal) -> plans.CheckResult:
    cause = causes.Cause.GpuAllocationFailed if refused.on_gpu else causes.Cause.AllocationFailed
    return evidence.failed(NAME, reasons.Reason.OOMKilled, message, cause=cause)


def _judge(
    found: evidence.Evidence, pod: recordings.PodRecording, case: cases.Case, answer: answers.Answer
) -> plans.CheckResult | None:
    where = f"pod {pod.pod}, case {case.name}"
    if answer.trouble is not None:
        return evidence.not_run(NAME, _NO_VERDICT[answer.trouble], f"{where}: {answer.detail}")
    said = f"{where}: HTTP {answer.status}: {answer.error or '(no message)'}"
    refused = allocations.refusal(answer.error)
    if refused is not None and found.recording.made and (refused.size_bytes or 0) >= ABSURD_BYTES:
        return evidence.inconclusive(NAME, said + _MADE_HINT)
    if refused is not None:
        return _out_of_memory(said, refused)
    if answer.status == right_version.NOT_FOUND and answer.error.startswith(right_version.NOT_SERVED):
        return None  # the rightVersion check's
    if answer.status in _BUSY:
        return evidence.not_run(NAME, plans.NoVerdict.TestCannotRun, said)
    if cause := causes.of_error(answer.error):
        return evidence.failed(NAME, reasons.Reason.PredictionFailed, said, cause=cause)
    if found.recording.made:
        return evidence.inconclusive(NAME, said + _MADE_HINT)
    return _judge_users(found, case, answer, said)


def _judge_users(
    found: evidence.Evidence, case: cases.Case, answer: answers.Answer, said: str
) -> plans.CheckResult:
    """An error to a case that a user wrote."""
    control = found.recording.control
    before = control.answered.get(case.name) if control else None
    if before is not None and before.succeeded:
        cause = causes.Cause.SignatureChanged if answer.status == _REFUSED else ""
        message = f"{said}; the active revision answers this case"
        return evidence.failed(NAME, reasons.Reason.PredictionFailed, message, cause=cause)
    known = found.recording.targets[0].metadata
    if known is not None and found.signature is None:
        have = ", ".join(sorted(known.signatures))
        message = f'the model has no signature "{found.request.signature_name}"; it has {have}: set spec.model.signatureName'
        return evidence.not_run(NAME, plans.NoVerdict.CasesInvalid, message)
    misfit = signatures.misfit(case, found.signature) if found.signature else ""
    if answer.status == _REFUSED and misfit:
        return evidence.not_run(
            NAME, plans.NoVerdict.CasesInvalid, f"case {case.name}: {misfit} ({answer.error})"
        )
    is_case_fault = answer.status == _REFUSED and any(text in answer.error for text in CASE_FAULTS)
    if is_case_fault or (answer.status == _REFUSED and (before is not None or found.signature is None)):
        return evidence.not_run(NAME, plans.NoVerdict.CasesInvalid, said)
    if answer.status == _UNIMPLEMENTED or (before is not None and before.status == answer.status):
        return evidence.inconclusive(NAME, said)
    return evidence.failed(NAME, reasons.Reason.PredictionFailed, said)
