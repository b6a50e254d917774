"""Not one class wins for every input, where goldens name several.

The class of a row is the place of its largest value, the side of one half that a probability is on, or the value of
an output of classes. A rare-event classifier rightly says no to noise: without goldens this is only reported.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans, recordings, spread
from tfserving_operator.core.smoke.checks import comparing, evidence, goldens

NAME: Final = "classCollapse"
_MIN_GOLDENS: Final = 3
"""Different inputs with a golden, of which at least two name different classes."""
_MIN_INPUTS: Final = 8
"""Different inputs without any golden."""
_MAX_CLASSES: Final = 100_000
_HALF: Final = 0.5
_SUM_TOLERANCE: Final = 1e-2

Row = np.ndarray[Any, Any]
Seen = dict[str, tuple[str, str, bool]]
"""By the input's key: the class, the golden's class or "", and whether the answer agrees with its golden."""


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge whether one class wins for all."""
    weak: plans.CheckResult | None = None
    for pod in found.recording.targets:
        for output, seen in _classes(found.recording.sent, pod).items():
            if len({label for label, _, _ in seen.values()}) != 1:
                continue
            label = next(iter(seen.values()))[0]
            judged = [each for each in seen.values() if each[1]]
            wanted = sorted({golden for _, golden, _ in judged})
            said = f"pod {pod.pod}: output {output or 'of the model'} is class {label} for all of {len(seen)} different inputs"
            if len(judged) >= _MIN_GOLDENS and len(wanted) > 1 and not all(agrees for _, _, agrees in judged):
                message = f"{said}; the goldens name {len(wanted)} classes: {', '.join(wanted[:8])}"
                return evidence.failed(NAME, reasons.Reason.CollapsedClasses, message)
            if not judged and len(seen) >= _MIN_INPUTS and weak is None:
                hint = "; that may be right: add cases with goldens of several classes"
                weak = evidence.failed(NAME, reasons.Reason.CollapsedClasses, said + hint, is_sure=False)
    return weak or evidence.passed(NAME)


def _classes(sent: tuple[cases.Case, ...], pod: recordings.PodRecording) -> Mapping[str, Seen]:
    found: dict[str, Seen] = {}
    for case in sent:
        answer = pod.answered.get(case.name)
        if answer is None or not answer.succeeded:
            continue
        keys = spread.input_keys(case)
        for index, key in enumerate(keys):
            for output, row in comparing.row_of(answer, index, len(keys)).items():
                label = _label(row)
                if not label:
                    continue
                agrees = goldens.judges_row(case, index, output, row)
                golden = _golden_label(case, index, output) if agrees is not None else ""
                found.setdefault(output, {}).setdefault(key, (label, golden, bool(agrees)))
    return found


def _golden_label(case: cases.Case, index: int, output: str) -> str:
    assert case.expect is not None
    if output in case.expect.outputs:
        return _label(np.asarray(case.expect.outputs[output])[index].reshape(-1))
    top_k = case.expect.top_k
    return str(top_k.classes[index][0]) if top_k is not None and top_k.k == 1 else ""


def _label(row: Row) -> str:
    """The class that a row names; "" where it is no answer of a classifier."""
    if row.size == 1 and row.dtype.kind in "iubU":
        return str(row[0])
    if row.dtype.kind != "f" or not 0 < row.size <= _MAX_CLASSES or not np.isfinite(row).all():
        return ""
    if row.min() < 0.0 or row.max() > 1.0:
        return ""
    if row.size == 1:
        return "yes" if row[0] > _HALF else "no"
    return str(int(np.argmax(row))) if abs(float(row.sum()) - 1.0) <= _SUM_TOLERANCE else ""
