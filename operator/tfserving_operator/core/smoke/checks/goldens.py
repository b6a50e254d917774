"""Answers agree with what cases expect."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import answers, cases, plans
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "goldens"
_TIE: Final = 1e-6
"""Values this close to the k-th largest, relative to it, count as tied with it."""


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge every answer that has a golden."""
    unknown = _unknown_output(found)
    if unknown:
        return evidence.not_run(NAME, plans.NoVerdict.CasesInvalid, unknown)
    compared, wrong = 0, 0
    first = ""
    for pod, case, answer in found.recording.every_answer():
        if case.expect is None or not answer.succeeded:
            continue
        compared += 1
        if problem := mismatch(case, answer):
            wrong += 1
            first = first or f"pod {pod.pod}, case {case.name}: {problem}"
    if not compared:
        return evidence.passed(NAME, "no case has a golden")
    if wrong:
        return evidence.failed(
            NAME,
            reasons.Reason.GoldenMismatch,
            f"{wrong} of {compared} answers differ from their goldens; {first}",
        )
    return evidence.passed(NAME, f"{compared} answers agree with their goldens")


def _unknown_output(found: evidence.Evidence) -> str:
    """A golden for an output that neither the candidate nor the active revision has is the case's fault."""
    control = found.recording.control
    for _pod, case, answer in found.recording.every_answer():
        if case.expect is None or not answer.succeeded or answers.ONLY_OUTPUT in answer.outputs:
            continue
        before = control.answered.get(case.name) if control else None
        for name in expected_names(case.expect):
            if name not in answer.outputs and not (before and name in before.outputs):
                have = ", ".join(sorted(answer.outputs))
                return f"case {case.name}: expect names the output {name}, and the model has {have}"
    return ""


def expected_names(expect: cases.Expect) -> Iterator[str]:
    """The outputs that a golden speaks of."""
    yield from expect.outputs
    if expect.top_k:
        yield expect.top_k.output


def mismatch(case: cases.Case, answer: answers.Answer) -> str:
    """Say in a sentence where an answer is outside its golden's tolerance; "" when it is within."""
    expect = case.expect
    if expect is None:
        return ""
    for name, golden in expect.outputs.items():
        array = _output(answer, name)
        if array is None:
            return f"the answer has no output {name}"
        if problem := _differs(array, np.asarray(golden), expect.rtol, expect.atol):
            return f"output {name}{problem}"
    if expect.top_k:
        array = _output(answer, expect.top_k.output)
        if array is None:
            return f"the answer has no output {expect.top_k.output}"
        return _top_k_differs(array, expect.top_k)
    return ""


def judges_row(case: cases.Case, index: int, output: str, row: np.ndarray[Any, Any]) -> bool | None:
    """Whether one row's output agrees with its golden; None where no golden speaks of it."""
    expect = case.expect
    if expect is None:
        return None
    if output in expect.outputs:
        want = np.asarray(expect.outputs[output])
        if index >= len(want) or want[index].size != row.size:
            return None
        return not _differs(row, want[index].reshape(-1), expect.rtol, expect.atol)
    if expect.top_k and output == expect.top_k.output and index < len(expect.top_k.classes):
        one = replace(expect.top_k, classes=(expect.top_k.classes[index],))
        return not _top_k_differs(row.reshape(1, -1), one)
    return None


def _output(answer: answers.Answer, name: str) -> np.ndarray[Any, Any] | None:
    """An output by its name; the only one of an answer without names fits any."""
    return answer.outputs.get(name, answer.outputs.get(answers.ONLY_OUTPUT))


def _differs(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any], rtol: float, atol: float) -> str:
    if got.shape != want.shape:
        if _squeezed(got.shape) != _squeezed(want.shape):
            return f" has the shape {list(got.shape)}, expected {list(want.shape)}"
        got = got.reshape(want.shape)
    if "U" in (got.dtype.kind, want.dtype.kind):
        wrong = np.asarray(got.astype(str) != want.astype(str))
        sizes = ""
    else:
        wrong = ~np.isclose(got.astype(float), want.astype(float), rtol=rtol, atol=atol, equal_nan=True)
        sizes = f" (rtol {rtol:g}, atol {atol:g})"
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = "".join(f"[{i}]" for i in at)
    return f"{where} is {_value(got[at])}, expected {_value(want[at])}{sizes}; {int(wrong.sum())} of {wrong.size} values"


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of one, but for the batch: [[1], [2]] may be written as [1, 2]."""
    return shape[:1] + tuple(size for size in shape[1:] if size != 1)


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)[:64]


def _top_k_differs(got: np.ndarray[Any, Any], top_k: cases.TopK) -> str:
    rows = answers.rows_of(got, len(top_k.classes))
    if len(rows) != len(top_k.classes) or rows[0].dtype.kind not in "fiu":
        return f"output {top_k.output} has {len(rows)} rows of numbers, expected {len(top_k.classes)}"
    for i, (row, classes) in enumerate(zip(rows, top_k.classes, strict=True)):
        if max(classes) >= row.size or top_k.k > row.size:
            return f"output {top_k.output}[{i}] has {row.size} classes, expected {max(classes) + 1} at least"
        values = np.where(np.isnan(row), -np.inf, row) if row.dtype.kind == "f" else row
        order = np.argsort(-values.astype(float), kind="stable")
        kth = float(values[order[top_k.k - 1]])
        if any(float(values[c]) < kth - _TIE * abs(kth) for c in classes):
            got_classes = [int(c) for c in order[: top_k.k]]
            return f"the top {top_k.k} of {top_k.output}[{i}] are {got_classes}, expected {list(classes)}"
    return ""
