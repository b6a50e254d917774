"""The same request gets the same answer.

Sampling and dropout may be meant, and a counter may count: without goldens a difference is only reported. With a
golden its tolerance decides, and only about the outputs that it speaks of.
"""

from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans
from tfserving_operator.core.smoke.checks import comparing, evidence

NAME: Final = "repeatability"
_RTOL: Final = 1e-3


def check(found: evidence.Evidence, _setting: evidence.Setting) -> plans.CheckResult:
    """Judge the answers to requests that were sent twice."""
    compared = 0
    apart: list[tuple[str, comparing.Apart]] = []
    for pod in found.recording.targets:
        allowed = comparing.floors(pod.answered, rtol=_RTOL)
        for case in found.recording.sent:
            first, again = pod.answered.get(case.name), pod.repeated.get(case.name)
            if first is None or again is None or not (first.succeeded and again.succeeded):
                continue
            compared += 1
            if first is not again:
                apart += [(case.name, each) for each in comparing.whole(case, first, again, allowed)]
    told = f"the same request, sent again, gets another answer for {{}} of {compared} cases"
    return comparing.differing(NAME, reasons.Reason.UnstableOutputs, apart, told, compared)
