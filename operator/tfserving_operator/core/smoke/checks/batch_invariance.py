"""A row's answer is its own: alone, in a batch, and in a batch in another order."""

from collections.abc import Iterator
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans, presentations, recordings
from tfserving_operator.core.smoke.checks import comparing, evidence

NAME: Final = "batchInvariance"

Compared = tuple[str, list[comparing.Apart]]
"""In words: which row in which presentations; and how they are apart."""


def check(found: evidence.Evidence, setting: evidence.Setting) -> plans.CheckResult:
    """Judge the presentations of rows.

    Where the same request gets different answers anyway, the batch explains nothing: cases that are not repeatable
    are left out, and so is a presentation that the model refuses, such as a batch of another size than its own.
    """
    rtol, atol = setting.number("rtol", comparing.RTOL), setting.number("atol", 0.0)
    compared = 0
    apart: list[tuple[str, comparing.Apart]] = []
    for pod in found.recording.targets:
        allowed = comparing.floors(pod.answered, rtol=rtol, atol=atol)
        given = {case.name: case for case in found.recording.sent if _is_stable(case, pod, allowed)}
        for where, differences in _compare(given, pod, allowed):
            compared += 1
            apart += [(where, each) for each in differences]
    told = f"{{}} of {compared} rows get another answer in another batch"
    return comparing.differing(NAME, reasons.Reason.BatchDependentOutputs, apart, told, compared)


def _is_stable(case: cases.Case, pod: recordings.PodRecording, allowed: comparing.Floors) -> bool:
    first, again = pod.answered.get(case.name), pod.repeated.get(case.name)
    if first is None or not first.succeeded:
        return False
    if again is None or again is first:
        return True
    return again.succeeded and not comparing.whole(case, first, again, allowed)


def _compare(
    given: dict[str, cases.Case], pod: recordings.PodRecording, allowed: comparing.Floors
) -> Iterator[Compared]:
    for name, case in given.items():
        count = presentations.count(case)
        for index, single in enumerate(pod.alone.get(name, ())):
            if single.succeeded:
                before = comparing.row_of(pod.answered[name], index, count)
                after = comparing.row_of(single, 0, 1)
                yield (
                    f"case {name}, row {index}, in its case and then alone",
                    comparing.row(case, index, before, after, allowed),
                )
    for batch, how in ((pod.together, "in one request with other cases"), (pod.permuted, "in another order")):
        if batch is None or not batch.answer.succeeded:
            continue
        for position, (name, index) in enumerate(batch.rows):
            if name in given:
                before = comparing.row_of(pod.answered[name], index, presentations.count(given[name]))
                after = comparing.row_of(batch.answer, position, len(batch.rows))
                yield (
                    f"case {name}, row {index}, in its case and then {how}",
                    comparing.row(given[name], index, before, after, allowed),
                )
