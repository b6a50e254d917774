"""Counterfactual probes: which change of the inputs puts the answers right, and what that says of the cause.

A probe is a pure plan (changed cases, sent to the candidate only) and a pure verdict over the answers. New
probes are rows of `PROBES`; those that need the goldens to be made take them from the cases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, causes, plans, signatures
from tfserving_operator.core.smoke.checks import distinct_outputs, evidence, goldens

MAX_CASES: Final = 4
"""Cases that a probe is tried on; with the probes below that bounds a test's extra requests."""
_CLEARLY: Final = 1e-3
"""A relative spread that no rounding makes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One change of the inputs."""

    name: str
    """Reads on from "when inputs are"."""
    cause: causes.Cause
    remedy: str
    change: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


_SCALE: Final = "export the model with its scaling, or scale in the client as in training"
_UNSCALE: Final = "scale once: either in the exported model or in the client"
PROBES: Final = (
    Probe(name="divided by 255", cause=causes.Cause.UnscaledInput, remedy=_SCALE, change=lambda x: x / 255.0),
    Probe(
        name="scaled to [-1, 1]",
        cause=causes.Cause.UnscaledInput,
        remedy=_SCALE,
        change=lambda x: x / 127.5 - 1.0,
    ),
    Probe(name="divided by 16", cause=causes.Cause.UnscaledInput, remedy=_SCALE, change=lambda x: x / 16.0),
    Probe(
        name="multiplied by 255", cause=causes.Cause.ScaledTwice, remedy=_UNSCALE, change=lambda x: x * 255.0
    ),
    Probe(
        name="scaled from [-1, 1] to 255",
        cause=causes.Cause.ScaledTwice,
        remedy=_UNSCALE,
        change=lambda x: (x + 1.0) * 127.5,
    ),
    Probe(
        name="multiplied by 16", cause=causes.Cause.ScaledTwice, remedy=_UNSCALE, change=lambda x: x * 16.0
    ),
)
_EXPLAINED: Final = frozenset({reasons.Reason.GoldenMismatch, reasons.Reason.IdenticalOutputs})


def plan(
    found: evidence.Evidence, failures: Sequence[plans.CheckResult]
) -> dict[str, tuple[cases.Case, ...]]:
    """Plan the changed cases to send to the first pod, by probe; none where no probe could explain the failures."""
    if found.signature is None or not _EXPLAINED & {failure.reason for failure in failures}:
        return {}
    chosen = _chosen(found)
    planned = {
        probe.name: tuple(_changed(case, probe, found.signature) for case in chosen) for probe in PROBES
    }
    return {name: changed for name, changed in planned.items() if changed and None not in changed}  # type: ignore[misc]


def _chosen(found: evidence.Evidence) -> list[cases.Case]:
    """The cases that a probe is tried on: those that miss their goldens first."""
    pod = found.recording.targets[0]
    answered = [c for c in found.recording.sent if c.name in pod.answered and pod.answered[c.name].succeeded]
    wrong = [case for case in answered if case.expect and goldens.mismatch(case, pod.answered[case.name])]
    return (wrong or answered)[:MAX_CASES]


def _changed(case: cases.Case, probe: Probe, signature: inspection.Signature) -> cases.Case | None:
    """The case with every float input changed; None when it has none, or none that is told apart."""
    floats = {name for name, tensor in signature.inputs.items() if tensor.dtype in signatures.FLOATS}
    only = len(signature.inputs) == 1

    def change(values: Any) -> Any:
        return np.asarray(probe.change(np.asarray(values, dtype=np.float64)), dtype=np.float64)

    try:
        if case.instances is not None:
            if isinstance(case.instances[0], Mapping):
                rows = [
                    {k: change(v) if k in floats else v for k, v in row.items()} for row in case.instances
                ]
                return replace(case, instances=rows) if floats & set(case.instances[0]) else None
            return replace(case, instances=list(change(case.instances))) if only and floats else None
        if isinstance(case.inputs, Mapping):
            inputs = {k: change(v) if k in floats else v for k, v in case.inputs.items()}
            return replace(case, inputs=inputs) if floats & set(case.inputs) else None
        return replace(case, inputs=change(case.inputs)) if only and floats else None
    except (ValueError, TypeError, AttributeError):
        return None


def explain(found: evidence.Evidence, failure: plans.CheckResult) -> plans.CheckResult:
    """Name the cause of a failure, where a probe tells it; two that tell the same are both named."""
    told = [probe for probe in PROBES if _tells(found, probe, failure)]
    if not told:
        is_constant = failure.reason == reasons.Reason.IdenticalOutputs and _stays_constant(found)
        return replace(failure, cause=causes.Cause.ConstantOutput) if is_constant else failure
    effect = "agree with their goldens" if failure.reason == reasons.Reason.GoldenMismatch else "differ"
    names = " or ".join(probe.name for probe in told)
    remedies = "; or ".join(dict.fromkeys(probe.remedy for probe in told))
    message = f"{failure.message[:300]}. The answers {effect} when inputs are {names}: {remedies}"
    named = " or ".join(dict.fromkeys(str(probe.cause) for probe in told))
    return replace(failure, cause=named, message=message[: evidence.MESSAGE_CHARACTERS])


def _tells(found: evidence.Evidence, probe: Probe, failure: plans.CheckResult) -> bool:
    chosen = _chosen(found)
    named = _answers(found, probe)
    if not named or not all(case.name in named and named[case.name].succeeded for case in chosen):
        return False
    has_goldens = [case for case in chosen if case.expect is not None]
    if has_goldens:
        return not any(goldens.mismatch(case, named[case.name]) for case in has_goldens)
    return failure.reason == reasons.Reason.IdenticalOutputs and _wakes(found, probe)


def _answers(found: evidence.Evidence, probe: Probe) -> dict[str, answers.Answer]:
    answered = found.recording.probes.get(probe.name) or {}
    return {name: evidence.named(answer, found.signature) for name, answer in answered.items()}


def _stays_constant(found: evidence.Evidence) -> bool:
    """Whether smaller inputs were tried, and none made the answers differ."""
    return bool(found.recording.probes) and not any(_wakes(found, probe) for probe in PROBES)


def _wakes(found: evidence.Evidence, probe: Probe) -> bool:
    """Whether answers that are all alike differ clearly with smaller inputs, so that larger ones saturate the model.

    With larger inputs even a collapsed model differs a little, which explains nothing.
    """
    if probe.cause is not causes.Cause.UnscaledInput or found.signature is None:
        return False
    changed = [_changed(case, probe, found.signature) for case in _chosen(found)]
    sent = [case for case in changed if case is not None]
    spreads = distinct_outputs.measure(sent, _answers(found, probe), _CLEARLY)
    return any(s.relative > _CLEARLY for s in spreads)
