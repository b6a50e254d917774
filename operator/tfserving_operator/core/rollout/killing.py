"""What is remembered of kills for memory, and what is recommended after them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tfserving_operator.api import status
from tfserving_operator.core import health, sizing
from tfserving_operator.core.rollout import drafts, views

REMEMBERED_KILLS = 16


def noted(
    view: views.View, draft: drafts.Draft, revision: str, problem: health.Problem
) -> tuple[drafts.Draft, str]:
    """The draft with a problem's kill in its status, and the problem's message with the recommended limit."""
    if problem.kill is None:
        return draft, problem.message
    draft = with_kills(view, draft, revision, [problem.kill])
    resources = draft.status.resources
    recommended = resources.recommended_memory_limit if resources is not None else None
    deployment = view.snap.deployments.get(revision)
    limit = deployment.memory_limit if deployment is not None else ""
    advice = (
        f" under its limit of {limit}; set resources.limits.memory to {recommended}" if recommended else ""
    )
    return draft, problem.message + advice


def with_kills(
    view: views.View, draft: drafts.Draft, revision: str, kills: Iterable[health.Kill]
) -> drafts.Draft:
    """The draft with new kills of a revision recorded; one seen before is not counted again."""
    resources = draft.status.resources or status.ResourcesStatus()
    horizon = view.now - timedelta(seconds=view.spec.rollout.oom.window_seconds)
    known = {(k.pod, k.time) for k in resources.recent_ooms}
    if resources.last_oom is not None:
        known.add((resources.last_oom.pod, resources.last_oom.time))
    fresh = [
        status.OutOfMemory(
            revision=revision, pod=k.pod, container=k.container, kind=k.kind, time=k.time or view.now
        )
        for k in kills
    ]
    fresh = [k for k in fresh if (k.pod, k.time) not in known and _is_news(k, resources.last_oom, horizon)]
    if not fresh:
        return draft
    last = max((k for k in (*fresh, resources.last_oom) if k is not None), key=_order)
    recent = sorted((k for k in (*resources.recent_ooms, *fresh) if k.time >= horizon), key=_order)
    return draft.with_status(
        resources=resources.model_copy(
            update={
                "last_oom": last,
                "recent_ooms": tuple(recent[-REMEMBERED_KILLS:]),
                "recommended_memory_limit": _recommended(view, revision)
                or resources.recommended_memory_limit,
            }
        )
    )


def _order(kill: status.OutOfMemory) -> tuple[datetime, str]:
    return kill.time, kill.pod


def _is_news(kill: status.OutOfMemory, last: status.OutOfMemory | None, horizon: datetime) -> bool:
    """Pods go on showing their last kill: one from before the window is news only after the last that is known."""
    return kill.time >= horizon or last is None or kill.time > last.time


def _recommended(view: views.View, revision: str) -> str | None:
    deployment = view.snap.deployments.get(revision)
    if deployment is None or not deployment.memory_limit:
        return None
    report = health.inspection_of(view.snap.pods.get(revision, ()))
    model_bytes = report.variable_bytes if report is not None else None
    return sizing.recommend_memory_limit(limit=deployment.memory_limit, model_bytes=model_bytes)
