"""Predictions are fast enough, when the model is warm and has nothing else to do."""

from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans
from tfserving_operator.core.smoke.checks import evidence

NAME: Final = "latency"


def check(found: evidence.Evidence, setting: evidence.Setting) -> plans.CheckResult:
    """Judge the slowest case; where cases were sent twice, the faster time of each counts."""
    timed = [
        (seconds, name, pod.pod) for pod in found.recording.targets for name, seconds in pod.seconds.items()
    ]
    if not timed:
        return evidence.passed(NAME)
    seconds, name, pod = max(timed)
    said = f"the slowest case is {name} on pod {pod}, with {seconds:.3f} s"
    most = setting.number("maxSeconds", float("inf"))
    if seconds <= most:
        return evidence.passed(NAME, said)
    return evidence.failed(NAME, reasons.Reason.SlowPredictions, f"{said}; at most {most:g} s are allowed")
