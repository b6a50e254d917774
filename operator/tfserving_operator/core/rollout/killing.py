"""What is remembered of servers that ran out of memory, and what is recommended after them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import allocations, health, kills, memory, quantities
from tfserving_operator.core.rollout import drafts, sizing, views
from tfserving_operator.core.smoke import causes, plans

_ON_GPU = causes.Cause.GpuAllocationFailed
ABSURD_TIMES = 64
"""The limit: a single tensor of more than that is a mistake, not a need."""
REMEMBERED_KILLS = 16
"""As many as `rollout.oom.maxKills` can be."""


def noted(
    view: views.View, draft: drafts.Draft, revision: str, problem: health.Problem
) -> tuple[drafts.Draft, str]:
    """The draft with a revision's kills in its status, and the problem's message with the recommended limit."""
    if problem.reason is reasons.Reason.MemoryBelowFloor:
        return sizing.refused(view, draft, revision, problem.message)
    if problem.kill is None:
        return draft, problem.message
    draft = with_kills(view, draft, revision, kills.seen(view.snap.pods.get(revision, ())))
    if problem.kill.kind is reasons.KillKind.GpuAllocationFailed:
        return draft, problem.message
    return draft, problem.message + _advice(view, draft, revision, problem.kill.kind)


def starved(
    view: views.View, draft: drafts.Draft, revision: str, outcome: plans.TestOutcome
) -> tuple[drafts.Draft, plans.TestOutcome]:
    """The draft with an allocation that a smoke test saw fail, and the outcome with the recommended limit."""
    refused = allocations.refusal(outcome.message) if outcome.out_of_memory else None
    if refused is None:
        return draft, outcome
    kind = reasons.KillKind.GpuAllocationFailed if refused.on_gpu else reasons.KillKind.AllocationFailed
    kill = kills.Kill(
        pod=outcome.starved_pod,
        container=constants.CONTAINER_SERVER,
        kind=kind,
        time=outcome.finished_at,
        size_bytes=refused.size_bytes,
    )
    draft = with_kills(view, draft, revision, [kill])
    if refused.on_gpu:
        remedy = f" {causes.REMEDIES[_ON_GPU]}"
    elif _is_helped(view, revision, kill):
        remedy = _advice(view, draft, revision, kind)
    else:
        remedy = " no memory limit is enough for that: look at the input, or at what the model makes of it"
    return draft, replace(outcome, message=f"{outcome.message};{remedy}")


def with_kills(
    view: views.View, draft: drafts.Draft, revision: str, found: Iterable[kills.Kill]
) -> drafts.Draft:
    """The draft with new kills of a revision recorded; one seen before is not counted again."""
    resources = draft.status.resources or status.ResourcesStatus()
    before = resources.recent_ooms
    known = {_identity(k) for k in before}
    fresh = [k for k in found if _identity(_record(view, revision, k)) not in known]
    records = sorted((_record(view, revision, k) for k in fresh), key=_order)
    if len(before) >= REMEMBERED_KILLS:
        # Pods go on showing their last kill: of those that are forgotten, none is newer than those remembered
        records = [k for k in records if k.time > before[0].time]
    if not records:
        return draft
    draft = sizing.with_told_of(view, draft, revision)
    resources = draft.status.resources or resources
    recent = tuple(sorted((*before, *records), key=_order)[-REMEMBERED_KILLS:])
    changes: dict[str, object] = {"last_oom": recent[-1], "recent_ooms": recent}
    helped = [k for k in fresh if _is_helped(view, revision, k)]
    if helped:
        changes["recommended_memory_limit"] = _recommended(
            view, revision, helped, recent, resources.recommended_memory_limit
        )
    return draft.with_status(resources=resources.model_copy(update=changes))


def _advice(view: views.View, draft: drafts.Draft, revision: str, kind: reasons.KillKind) -> str:
    resources, deployment = draft.status.resources, view.snap.deployments.get(revision)
    recommended = resources.recommended_memory_limit if resources is not None else None
    limit = deployment.memory_limit if deployment is not None else ""
    if not recommended:
        return ""
    # A node evicts who is beyond the request, whatever the limit
    is_evicted = kind is reasons.KillKind.Evicted
    settings = f"{'resources.requests.memory and ' if is_evicted else ''}resources.limits.memory"
    return f" under its limit of {limit}; set {settings} to {recommended}"


def _record(view: views.View, revision: str, kill: kills.Kill) -> status.OutOfMemory:
    return status.OutOfMemory(
        revision=revision,
        pod=kill.pod,
        container=kill.container,
        kind=kill.kind,
        time=kill.time or view.now,
        container_id=kill.container_id,
    )


def _identity(kill: status.OutOfMemory) -> tuple[str, str]:
    """A container ends once; a pod that was evicted, or that refused a prediction, is told by the time."""
    return kill.pod, kill.container_id or kill.time.isoformat()


def _order(kill: status.OutOfMemory) -> tuple[datetime, str, str]:
    return kill.time, kill.pod, kill.container_id


def _is_helped(view: views.View, revision: str, kill: kills.Kill) -> bool:
    """Whether a higher limit is worth a try."""
    deployment = view.snap.deployments.get(revision)
    if kill.kind is reasons.KillKind.GpuAllocationFailed or deployment is None or not deployment.memory_limit:
        return False
    return (kill.size_bytes or 0) <= ABSURD_TIMES * quantities.parse_quantity(deployment.memory_limit)


def _recommended(
    view: views.View,
    revision: str,
    fresh: Iterable[kills.Kill],
    recent: Iterable[status.OutOfMemory],
    before: str | None,
) -> str | None:
    """From this version's limits that were not enough, its floor, and the tensors that it got no memory for.

    After an eviction it is the limit as it is: a server that has all of it as its request is not evicted.
    """
    present = view.snap.deployments.get(revision)
    if present is None or not present.memory_limit:
        return None
    report = health.inspection_of(view.snap.pods.get(revision, ()))
    asked = max((kill.size_bytes or 0 for kill in fresh), default=0)
    return memory.recommended_limit(
        floor_bytes=(report.memory_floor or None) if report is not None else None,
        peak_bytes=int(quantities.parse_quantity(present.memory_limit)) + asked if asked else None,
        not_enough=sizing.limits_that_killed(view, revision, recent),
        before=max((present.memory_limit, *filter(None, [before])), key=quantities.parse_quantity),
    )
