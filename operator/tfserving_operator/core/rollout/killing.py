"""What is remembered of servers that ran out of memory, and what is recommended after them."""

from collections.abc import Iterable
from datetime import datetime

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import allocations, health, kills, sizing
from tfserving_operator.core.rollout import drafts, views
from tfserving_operator.core.smoke import plans

REMEMBERED_KILLS = 16
"""As many as `rollout.oom.maxKills` can be."""


def noted(
    view: views.View, draft: drafts.Draft, revision: str, problem: health.Problem
) -> tuple[drafts.Draft, str]:
    """The draft with a revision's kills in its status, and the problem's message with the recommended limit."""
    if problem.kill is None:
        return draft, problem.message
    draft = with_kills(view, draft, revision, kills.seen(view.snap.pods.get(revision, ())))
    if problem.kill.kind is reasons.KillKind.GpuAllocationFailed:
        return draft, problem.message
    return draft, problem.message + _advice(view, draft, revision)


def starved(
    view: views.View, draft: drafts.Draft, revision: str, outcome: plans.TestOutcome
) -> tuple[drafts.Draft, str]:
    """The draft with an allocation that a smoke test saw fail, and the outcome's message with the recommended limit."""
    refused = allocations.refusal(outcome.message) if outcome.out_of_memory else None
    if refused is None:
        return draft, outcome.message
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
        return draft, outcome.message
    return draft, f"{outcome.message};{_advice(view, draft, revision)}"


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
    recent = tuple(sorted((*before, *records), key=_order)[-REMEMBERED_KILLS:])
    changes: dict[str, object] = {"last_oom": recent[-1], "recent_ooms": recent}
    if any(k.kind is not reasons.KillKind.GpuAllocationFailed for k in fresh):
        recommended = _recommended(view, revision) or resources.recommended_memory_limit
        changes["recommended_memory_limit"] = recommended
    return draft.with_status(resources=resources.model_copy(update=changes))


def _advice(view: views.View, draft: drafts.Draft, revision: str) -> str:
    resources, deployment = draft.status.resources, view.snap.deployments.get(revision)
    recommended = resources.recommended_memory_limit if resources is not None else None
    limit = deployment.memory_limit if deployment is not None else ""
    return f" under its limit of {limit}; set resources.limits.memory to {recommended}" if recommended else ""


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


def _recommended(view: views.View, revision: str) -> str | None:
    deployment = view.snap.deployments.get(revision)
    if deployment is None or not deployment.memory_limit:
        return None
    report = health.inspection_of(view.snap.pods.get(revision, ()))
    model_bytes = report.variable_bytes if report is not None else None
    return sizing.recommend_memory_limit(limit=deployment.memory_limit, model_bytes=model_bytes)
