"""Answers in the load burst are those to the same requests alone."""

from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "loadAnswers"
_MIN_DIFFERING: Final = 2
"""One may be a tie that fell the other way."""


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge what the burst compared; where answers are not repeatable at all, load explains nothing."""
    for load in found.recording.load:
        pod = next((each for each in found.recording.targets if each.pod == load.pod), None)
        varies = pod is not None and any(
            answer is not pod.answered.get(name) and answer.succeeded for name, answer in pod.repeated.items()
        )
        if load.differing < _MIN_DIFFERING or (varies and not load.golden):
            continue
        message = (
            f"pod {load.pod}: under load, {load.differing} of {load.compared} answers are not those to the same requests"
            f" alone; {load.example}"
        )
        return evidence.failed(NAME, reasons.Reason.LoadDependentOutputs, message, is_sure=load.golden)
    compared = sum(load.compared for load in found.recording.load)
    return evidence.passed(NAME, f"{compared} answers under load agree" if compared else "")
