"""The model has the signature, and it is the one that cases and goldens were written for.

A signature may change by intent, together with its cases: a change is evidence only where a case fails for it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, causes, plans, recordings, signatures
from tfserving_operator.core.smoke.checks import evidence, goldens

NAME: Final = "signature"
_LISTED: Final = 4
_REFUSED: Final = 400


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge the signature that the candidate serves."""
    name = found.request.signature_name
    for pod in found.recording.targets:
        if pod.metadata is not None and name not in pod.metadata.signatures:
            return _missing(pod, pod.metadata, name)
    served = found.signature
    if served is None:
        return evidence.passed(NAME, "the metadata could not be read")
    for before, whose, excuses in _before(found):
        changes = list(_changes(before, served))
        if not changes:
            continue
        shown = "; ".join(changes[:_LISTED]) + ("; …" if len(changes) > _LISTED else "")
        broken = _broken(found, excuses)
        if not broken:
            return evidence.passed(NAME, f"it is not that of {whose}: {shown}")
        message = f"{broken}, and the signature is not that of {whose}: {shown}"
        cause = causes.Cause.SignatureChanged
        return evidence.failed(NAME, reasons.Reason.SignatureMismatch, message, cause=cause)
    return evidence.passed(NAME)


def _missing(pod: recordings.PodRecording, served: signatures.Metadata, name: str) -> plans.CheckResult:
    have = ", ".join(sorted(each for each in served.signatures if not each.startswith("__"))[:8]) or "none"
    message = f'pod {pod.pod}: the model has no signature "{name}"; it has {have}'
    cause = causes.Cause.SignatureMissing
    return evidence.failed(NAME, reasons.Reason.SignatureMismatch, message, cause=cause)


def _before(
    found: evidence.Evidence,
) -> Iterator[tuple[inspection.Signature, str, Mapping[str, answers.Answer]]]:
    """The signatures to compare with, whose they are, and what whoever has it answers to the cases.

    Goldens were recorded with their signature: their cases fit it.
    """
    told = found.recording.provenance
    if told is not None and told.signature is not None:
        yield told.signature, "the model that the goldens were recorded from", {}
    control = found.recording.control
    name = found.request.control_signature_name or found.request.signature_name
    if control is not None and control.metadata is not None and name in control.metadata.signatures:
        yield control.metadata.signatures[name], "the active revision", control.answered


def _broken(found: evidence.Evidence, before: Mapping[str, answers.Answer]) -> str:
    """Which of the user's cases is not answered as its golden is named, and was before; "" when there is none."""
    if found.recording.made:
        return ""
    for pod, case, answer in found.recording.every_answer():
        known = before.get(case.name)
        if answer.status == _REFUSED and (known is None or known.succeeded):
            return f"pod {pod.pod}, case {case.name} is refused ({answer.error[:160]})"
        if answer.succeeded and case.expect is not None:
            for name in goldens.expected_names(case.expect):
                was_there = known is None or (known.succeeded and name in known.outputs)
                if name not in answer.outputs and answers.ONLY_OUTPUT not in answer.outputs and was_there:
                    return f"pod {pod.pod}, case {case.name} gets no output {name}"
    return ""


def _changes(before: inspection.Signature, after: inspection.Signature) -> Iterator[str]:
    yield from _tensor_changes("input", before.inputs, after.inputs)
    yield from _tensor_changes("output", before.outputs, after.outputs)


def _tensor_changes(
    kind: str, before: Mapping[str, inspection.Tensor], after: Mapping[str, inspection.Tensor]
) -> Iterator[str]:
    gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if gone:
        yield f"{kind} {', '.join(gone)} is gone" + (f", and {', '.join(new)} is new" if new else "")
    elif new and kind == "input":
        yield f"input {', '.join(new)} is new"
    for name in sorted(before.keys() & after.keys()):
        one, other = before[name], after[name]
        if one.dtype != other.dtype:
            yield f"{kind} {name} was {one.dtype} and is {other.dtype}"
        elif not _is_alike(one.shape, other.shape):
            yield f"{kind} {name} had the shape {_shown(one.shape)} and has {_shown(other.shape)}"


def _is_alike(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(
        -1 in (have, want) or have == want for have, want in zip(one, other, strict=True)
    )


def _shown(shape: tuple[int, ...] | None) -> str:
    return "unknown" if shape is None else str(list(shape))
