"""A memory limit a little below the need does not kill: it slows down.

The kernel evicts the pages of the server's own code, which are read again and again. No pod status tells of it;
what tells is that a server under a limit near the model's floor takes far longer than it should.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import health, inspection, memory, observed, quantities
from tfserving_operator.core.rollout import drafts, sizing, views
from tfserving_operator.core.smoke import plans

SLOW_START_SECONDS: Final = 20.0
"""From the server's start to Ready: with room, the smallest model takes about one, and its probe two more."""
SLOW_READ_BYTES: Final = 20 * quantities.MI
"""A second: a larger model may be on a slow disk."""
SLOW_TEST_SECONDS: Final = 10.0
"""Of a test that ended without a verdict: one that had no answer sooner failed for another reason."""


def problem(view: views.View, draft: drafts.Draft, revision: str) -> health.Problem | None:
    """Why a revision's pods are slow to become Ready, where the memory limit explains it."""
    for pod, ready_by in _starting(view, revision):
        if view.now >= ready_by:
            # What it took so far would be another message at each look
            seconds = _patience(_report(pod)).total_seconds()
            text = f"pod {pod.meta.name} is not Ready {seconds:.0f} s after its server began"
            advice = _advice(view, draft, pod)
            return health.Problem(
                reason=reasons.Reason.MemoryPressure, message=text + advice, about_model=False
            )
    return None


def seconds_left(view: views.View, revision: str) -> float | None:
    """Until a pod that is starting will have been slow; None where the limit would not explain it."""
    left = [(ready_by - view.now).total_seconds() for _, ready_by in _starting(view, revision)]
    return min((seconds for seconds in left if seconds > 0), default=None)


def explained(
    view: views.View, draft: drafts.Draft, revision: str, outcome: plans.TestOutcome
) -> plans.TestOutcome:
    """The outcome, named after the memory limit where that explains why answers did not come in time."""
    is_slow_failure = outcome.reason == reasons.Reason.SlowPredictions
    could_not_run = outcome.verdict is None and outcome.reason == reasons.Reason.TestCannotRun
    if not is_slow_failure and not (could_not_run and outcome.duration_seconds >= SLOW_TEST_SECONDS):
        return outcome
    pod = next((p for p in view.ready_pods(revision) if _is_near_floor(_report(p))), None)
    if pod is None:
        return outcome
    return replace(
        outcome,
        reason=reasons.Reason.MemoryPressure,
        message=outcome.message + _advice(view, draft, pod),
    )


def with_recommended(view: views.View, draft: drafts.Draft, revision: str) -> drafts.Draft:
    """The draft with the limit that its pods should have."""
    pod = next((p for p in view.pods(revision) if _is_near_floor(_report(p))), None)
    if pod is None:
        return draft
    draft = sizing.with_told_of(view, draft, revision)
    resources = draft.status.resources or status.ResourcesStatus()
    limit = _recommended(draft, _report(pod))
    return draft.with_status(resources=resources.model_copy(update={"recommended_memory_limit": limit}))


def _starting(view: views.View, revision: str) -> list[tuple[observed.Pod, datetime]]:
    """The pods under a tight limit whose servers run and are not Ready, and when they should be."""
    found = []
    for pod in view.pods(revision):
        report = _report(pod)
        # A pod has no status of its containers before its kubelet has looked at it
        server = next((c for c in pod.containers if c.name == constants.CONTAINER_SERVER), None)
        if pod.ready or server is None or server.started_at is None or not _is_near_floor(report):
            continue
        found.append((pod, server.started_at + _patience(report)))
    return found


def _patience(report: inspection.Inspection) -> timedelta:
    """How long a server may take to be Ready."""
    return timedelta(seconds=SLOW_START_SECONDS + report.model_bytes / SLOW_READ_BYTES)


def _report(pod: observed.Pod) -> inspection.Inspection:
    return health.inspection_of([pod]) or inspection.Inspection()


def _is_near_floor(report: inspection.Inspection) -> bool:
    if not report.memory_floor or not report.memory_limit:
        return False
    comfortable = memory.recommended_limit(floor_bytes=report.memory_floor)
    return comfortable is not None and report.memory_limit < quantities.parse_quantity(comfortable)


def _recommended(draft: drafts.Draft, report: inspection.Inspection) -> str | None:
    resources = draft.status.resources
    return memory.recommended_limit(
        floor_bytes=report.memory_floor,
        need_bytes=report.memory_need or None,
        not_enough=[str(report.memory_limit)],
        before=resources.recommended_memory_limit if resources is not None else None,
    )


def _advice(view: views.View, draft: drafts.Draft, pod: observed.Pod) -> str:
    report, deployment = _report(pod), view.snap.deployments.get(pod.meta.revision)
    limit = (
        deployment.memory_limit if deployment is not None else quantities.format_bytes(report.memory_limit)
    )
    floor = quantities.format_bytes(report.memory_floor)
    return (
        f": its limit of {limit} is near the {floor} without which this model cannot be loaded, so that the server's "
        f"own code is read again and again; set resources.limits.memory to {_recommended(draft, report)}"
    )
