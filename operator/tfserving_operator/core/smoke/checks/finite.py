"""No answer holds NaN or Infinity.

Made inputs may lie where a healthy model is not defined (the logarithm of a negative number), and a masked
log-probability is -Infinity by intent: such answers only fail a model when nothing else explains them.
"""

from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import answers, cases, causes, plans, recordings
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "finite"


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge whether the answers are numbers."""
    seen, suspects = 0, 0
    doubtful, fatal = "", ""
    for pod, case, answer in found.recording.every_answer():
        if not answer.succeeded:
            continue
        seen += 1
        said = [_problem(case, answer, name, found.recording.control) for name in answer.outputs]
        certain = next((text for text, sure in said if text and sure), "")
        unsure = next((text for text, sure in said if text and not sure), "")
        suspects += bool(certain)
        fatal = fatal or (certain and f"pod {pod.pod}, case {case.name}: {certain}")
        doubtful = doubtful or (unsure and f"pod {pod.pod}, case {case.name}: {unsure}")
    if fatal and (not found.recording.made or suspects == seen):
        message = f"{fatal} ({suspects} of {seen} answers)"
        return evidence.failed(NAME, reasons.Reason.NonFiniteOutputs, message, cause=causes.Cause.NotANumber)
    if fatal:
        hint = "; the inputs were made from the signature: add smoke.cases with real ones"
        return evidence.inconclusive(NAME, f"{fatal} ({suspects} of {seen} answers){hint}")
    if doubtful:
        return evidence.inconclusive(NAME, f"{doubtful}; where that is right, say so in expect.outputs")
    return evidence.passed(NAME)


def _problem(
    case: cases.Case, answer: answers.Answer, name: str, control: recordings.PodRecording | None
) -> tuple[str, bool]:
    """Say what is not finite, and whether it is evidence."""
    array = answer.outputs[name]
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return "", False
    bad = ~np.isfinite(array)
    expected = _expected(case, name, array)
    if expected is not None:
        bad &= ~_alike(array, expected)
        text = f"output {name or 'of the model'} holds {_counted(array, bad)}, and the golden does not"
        return (text, True) if bad.any() else ("", False)
    before = control.answered.get(case.name) if control else None
    if before is not None and name in before.outputs and not np.isfinite(before.outputs[name]).all():
        return "", False  # the active revision's answer is no more a number
    rows = bad.reshape(bad.shape[0], -1) if bad.ndim > 1 else bad.reshape(1, -1)
    certain = bool(np.isnan(array).any() or rows.all(axis=1).any())
    return f"output {name or 'of the model'} holds {_counted(array, bad)}", certain


def _expected(case: cases.Case, name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    golden = case.expect.outputs.get(name) if case.expect else None
    if golden is None:
        return None
    expected = np.asarray(golden)
    return (
        expected.reshape(array.shape)
        if expected.size == array.size and expected.dtype.kind in "fiu"
        else None
    )


def _alike(array: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray((array == expected) | (np.isnan(array) & np.isnan(expected.astype(float))))


def _counted(array: np.ndarray[Any, Any], bad: np.ndarray[Any, Any]) -> str:
    nan, infinite = int((np.isnan(array) & bad).sum()), int((np.isinf(array) & bad).sum())
    parts = [f"{count} {word}" for count, word in ((nan, "NaN"), (infinite, "Infinity")) if count]
    return f"{' and '.join(parts)} among {array.size} values"
