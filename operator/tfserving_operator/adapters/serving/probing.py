"""Sends the changed cases that may tell why a candidate fails, as long as earlier answers make the plan ask for more."""

from collections.abc import Callable
from typing import Final

from tfserving_operator.adapters.serving import asking, workers
from tfserving_operator.core.smoke import answers, judge, plans, recordings

_MOST_REQUESTS: Final = 256
"""The plan bounds itself; this ends one that does not."""
_SILENCES: Final = (answers.Trouble.Unreachable, answers.Trouble.Closed, answers.Trouble.TimedOut)
"""After these the pod is not asked on."""

Probes = dict[str, dict[str, answers.Answer]]


async def probe(
    pod: asking.Pod,
    request: plans.TestRequest,
    *,
    shop: workers.Workers,
    recorded: Callable[[], recordings.Recording],
    found: Probes,
) -> None:
    """Probe one pod.

    Parameters
    ----------
    recorded
        Gives the recording as it is now, with what was found.
    found
        Gets the answers by the probe's and the case's name.
    """
    left = _MOST_REQUESTS
    while planned := await shop.compute(judge.plan_probes, request, recorded()):
        new = {name: changed for name, changed in planned.items() if name not in found}
        for name, changed in new.items():
            told: dict[str, answers.Answer] = {}
            for case in changed[:left]:
                told[case.name] = await pod.ask(case)
            left -= len(changed)
            found[name] = told
            if left <= 0 or any(answer.trouble in _SILENCES for answer in told.values()):
                return
        if not new:
            return
