"""Different inputs do not all get the same answer.

What counts as evidence, strongest first:

1. Goldens that differ where the answers do not.
2. Real-valued outputs that do not move over three or more different inputs, while no other output moves either.
   Where the active revision gives as constant an answer to the same inputs, the new one is not blamed.
3. Outputs that do not move when rows come alone, and do when the same rows come in a batch.

What does not: one input; integer, boolean, string, one-hot and all-zero outputs (an argmax may rightly be the
same for all); a constant head beside one that varies. An output that only repeats an input is not counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import answers, cases, plans, recordings, spread
from tfserving_operator.core.smoke.checks import contrast as contrasts
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "distinctOutputs"
MIN_RELATIVE_SPREAD: Final = 1e-6
"""Collapsed batch normalisation leaves 4e-7; float32 itself resolves 1e-7."""
MIN_INPUTS: Final = 3
"""Two inputs may well have one answer."""


def check(found: evidence.Evidence, setting: evidence.Setting) -> plans.CheckResult:
    """Judge whether the answers depend on the inputs."""
    threshold = setting.number("minRelativeSpread", MIN_RELATIVE_SPREAD)
    results = [_check_pod(found, pod, threshold) for pod in found.recording.targets]
    for verdict in (reasons.Verdict.Fail, reasons.Verdict.Inconclusive):
        for result in results:
            if result.verdict == verdict:
                return result
    return results[0] if results else evidence.passed(NAME, "there are no answers")


def measure(
    sent: Sequence[cases.Case], found: Mapping[str, answers.Answer], threshold: float
) -> tuple[spread.Spread, ...]:
    """How each output varies over different inputs; outputs that repeat an input are left out."""
    echoes = _echoes(sent, found)
    rows = spread.by_input(sent, found)
    return tuple(
        spread.measure(name, list(rows[name].values()), threshold)
        for name in sorted(rows)
        if name not in echoes
    )


def _check_pod(found: evidence.Evidence, pod: recordings.PodRecording, threshold: float) -> plans.CheckResult:
    sent = found.recording.sent
    if contrast := contrasts.find(sent, pod, threshold):
        message = (
            f"pod {pod.pod}: alone, {contrast.inputs} different inputs get the same answer {contrast.alone}, and in"
            f" a batch their answers differ by {contrast.batch_spread:.2g} of their size"
        )
        return evidence.failed(NAME, reasons.Reason.IdenticalOutputs, message)
    spreads = measure(sent, pod.answered, threshold)
    shown = "; ".join(
        f"{s.output or 'output'}: spread {s.relative:.2g} over {s.inputs} inputs, {s.sample}" for s in spreads
    )
    constant = [s for s in spreads if not s.varies]
    for output in constant:
        golden = _golden_rows(sent, output.output, pod.answered)
        if len(golden) > 1 and _goldens_differ(golden):
            message = (
                f"pod {pod.pod}: output {output.output or 'of the model'} is {output.sample} for {output.inputs}"
                " different inputs whose goldens differ"
            )
            return evidence.failed(NAME, reasons.Reason.IdenticalOutputs, message, evidence=shown)
    if len(constant) < len(spreads) or not spreads:
        return evidence.passed(NAME, evidence=shown)
    most = max(s.inputs for s in constant)
    if most < 2:  # noqa: PLR2004 - one input
        return evidence.passed(NAME, "there is one input only, which says nothing", shown)
    if all(len(_golden_rows(sent, s.output, pod.answered)) > 1 for s in constant):
        return evidence.passed(NAME, "the answers are alike, as the goldens are", shown)
    return _without_goldens(found, pod, constant, threshold, shown)


def _without_goldens(
    found: evidence.Evidence,
    pod: recordings.PodRecording,
    constant: Sequence[spread.Spread],
    threshold: float,
    shown: str,
) -> plans.CheckResult:
    control = found.recording.control
    answered = {
        name: answer
        for name, answer in (control.answered if control else {}).items()
        if name in pod.answered and pod.answered[name].succeeded
    }
    before = measure(found.recording.sent, answered, threshold)
    if before and not any(s.varies for s in before) and max(s.inputs for s in before) > 1:
        return evidence.passed(NAME, "the answers are alike, and so are the active revision's", shown)
    real = [s for s in constant if s.kind is spread.Kind.Real]
    worst = max(real or constant, key=lambda s: s.inputs)
    message = f"pod {pod.pod}: {worst.inputs} different inputs get the same answer {worst.sample}"
    if real and worst.inputs >= MIN_INPUTS:
        beside = "; the active revision's answers to them differ" if before else ""
        return evidence.failed(NAME, reasons.Reason.IdenticalOutputs, message + beside, evidence=shown)
    hint = "that may be right: add a case with expect.outputs whose answer is another one"
    return evidence.inconclusive(NAME, f"{message}; {hint}", shown)


def _golden_rows(
    sent: Sequence[cases.Case], output: str, found: Mapping[str, answers.Answer]
) -> list[tuple[Any, float, float]]:
    """The golden rows of an output for different inputs that were answered: (values, rtol, atol)."""
    rows: dict[str, tuple[Any, float, float]] = {}
    for case in sent:
        if case.expect is None or case.name not in found or not found[case.name].succeeded:
            continue
        golden = _golden(case.expect, output)
        if golden is None:
            continue
        keys = spread.input_keys(case)
        parts = answers.rows_of(golden, len(keys))
        if len(parts) == len(keys):
            for key, part in zip(keys, parts, strict=True):
                rows.setdefault(key, (part, case.expect.rtol, case.expect.atol))
    return list(rows.values())


def _golden(expect: cases.Expect, output: str) -> np.ndarray[Any, Any] | None:
    name = output
    if output == answers.ONLY_OUTPUT and len(expect.outputs) == 1:
        name = next(iter(expect.outputs))
    if name in expect.outputs:
        return np.asarray(expect.outputs[name])
    if expect.top_k and output in (expect.top_k.output, answers.ONLY_OUTPUT):
        return np.sort(np.asarray(expect.top_k.classes), axis=1)
    return None


def _goldens_differ(rows: Sequence[tuple[Any, float, float]]) -> bool:
    """Whether two goldens are so far apart that no one answer is within the tolerance of both."""
    first, rtol, atol = rows[0]
    for other, other_rtol, other_atol in rows[1:]:
        if first.shape != other.shape:
            return True
        if "U" in (first.dtype.kind, other.dtype.kind) or first.dtype.kind in "iub":
            if (first != other).any():
                return True
            continue
        room = rtol * np.abs(first) + atol + other_rtol * np.abs(other) + other_atol
        if (np.abs(first - other) > room).any():
            return True
    return False


def _echoes(sent: Sequence[cases.Case], found: Mapping[str, answers.Answer]) -> frozenset[str]:
    """Outputs that are an input again in every case: a key that is passed through."""
    candidates: set[str] | None = None
    for case in sent:
        answer = found.get(case.name)
        if answer is None or not answer.succeeded:
            continue
        inputs = _flat_inputs(case)
        same = {name for name, array in answer.outputs.items() if any(_is_same(array, i) for i in inputs)}
        candidates = same if candidates is None else candidates & same
        if not candidates:
            return frozenset()
    return frozenset(candidates or ())


def _flat_inputs(case: cases.Case) -> list[np.ndarray[Any, Any]]:
    columns: list[Any]
    if case.instances is not None and isinstance(case.instances[0], Mapping):
        first = case.instances[0]
        columns = [[row.get(key) for row in case.instances if isinstance(row, Mapping)] for key in first]
    elif isinstance(case.inputs, Mapping):
        columns = list(case.inputs.values())
    else:
        return []  # the only input: a model that answers it is an identity by intent
    return [array.reshape(-1) for array in map(_array, columns) if array is not None]


def _array(values: Any) -> np.ndarray[Any, Any] | None:
    try:
        return np.asarray(values)
    except ValueError:
        return None


def _is_same(output: np.ndarray[Any, Any], flat: np.ndarray[Any, Any]) -> bool:
    if output.size != flat.size or flat.dtype == object:
        return False
    if "U" in (output.dtype.kind, flat.dtype.kind):
        return output.dtype.kind == flat.dtype.kind and bool((output.reshape(-1) == flat).all())
    return bool(np.allclose(output.reshape(-1).astype(float), flat.astype(float), rtol=1e-5, atol=0.0))
