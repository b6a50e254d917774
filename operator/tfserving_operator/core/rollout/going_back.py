"""After the bake: repeated kills or failed tests take one step back to the last revision that passed."""

from datetime import datetime, timedelta

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import actions, conditions, kills, quantities
from tfserving_operator.core.rollout import drafts, killing, promoting, sizing, views

FAILURES_TO_STEP_BACK = 2
"""Of repeated tests, in a row."""


def record_kills(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Remember the kills of the active revision: a pod shows only its last one."""
    active = draft.status.active_revision
    if active is None:
        return draft
    return killing.with_kills(view, draft, active.name, kills.seen(view.snap.pods.get(active.name, ())))


def step_back(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Start the last revision with a recorded pass, at most once per spec generation or retry token."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if active is None or active.bake_until is not None:
        return draft
    if candidate is not None and (candidate.purpose is reasons.Purpose.Rollback or draft.hold is None):
        return draft  # what is on its way may be the remedy; what is held is none
    failure = _failure(view, draft, active)
    if failure is None:
        return draft
    reason, message = failure
    used = view.step_back(draft.status)
    if used is not None:
        return _without_another_step(view, draft, active, used, f"{reason}: {message}")
    needs_room = reason == reasons.Reason.OOMKilled and not _is_of_gpu(draft)
    goal = _goal(view, draft, active, needs_room=needs_room)
    if goal is None:
        none = (
            "no earlier revision that passed has more room for its model"
            if needs_room
            else "no earlier revision passed"
        )
        why = f"version {active.version} fails ({reason}: {message}) and stays: {none}"
        return promoting.with_no_healthy_revision(view, draft, why)
    text = f"version {active.version} fails ({reason}: {message}); going back to version {goal.version}"
    return draft.with_status(
        candidate_revision=status.Candidate(
            name=goal.name,
            version=goal.version,
            model_digest=view.pin_annotation(goal.name, constants.ANNOTATION_MODEL_DIGEST) or None,
            step=reasons.Step.Starting,
            since=view.now,
            purpose=reasons.Purpose.Rollback,
        ),
        step_back=status.StepBack(
            reason=reason,
            message=conditions.cut(message),
            generation=view.snap.owner.generation,
            spec_digest=view.spec_digest,
            retry_token=view.spec.rollout.retry_token,
            from_revision=active.name,
            to_revision=goal.name,
            time=view.now,
        ),
    ).with_event(actions.EventType.Warning, reasons.Reason(reason), text)


def _without_another_step(
    view: views.View, draft: drafts.Draft, active: status.Revision, used: status.StepBack, why: str
) -> drafts.Draft:
    """Stay where the one step led, and say so once: a client that ends every revision must not walk back through all."""
    if used.to_revision != active.name:
        return draft
    text = (
        f"version {active.version} fails too ({why}) and stays: it is the one that was gone back to "
        f"({used.reason}: {used.message}), and no further step follows until the spec or its retry token changes"
    )
    return promoting.with_no_healthy_revision(view, draft, text)


def is_without_goal(used: status.StepBack, active: status.Revision, smoke: status.SmokeStatus | None) -> bool:
    """Whether the active revision fails with nothing to go back to; a later test that passed ends it."""
    if used.from_revision != active.name or used.to_revision:
        return False
    if smoke is None or smoke.revision != active.name:
        return True
    return not (smoke.verdict is reasons.Verdict.Pass and smoke.time > used.time)


def _failure(view: views.View, draft: drafts.Draft, active: status.Revision) -> tuple[str, str] | None:
    """Why the active revision should go: the reason and its sentence, or None."""
    resources = draft.status.resources
    # A held candidate's own test takes the place of the active revision's in each decision
    told = (draft.status.smoke, view.snap.status.smoke)
    smoke = next((s for s in told if s is not None and s.revision == active.name), None)
    horizon = view.now - timedelta(seconds=view.spec.rollout.oom.window_seconds)
    if resources is not None:
        counted = [
            k for k in resources.recent_ooms if k.revision == active.name and _counts(k.time, horizon, active)
        ]
        if len(counted) >= view.spec.rollout.oom.max_kills:
            about = sizing.with_told_of(view, draft, active.name).status.resources or resources
            advice = about.recommended_memory_limit
            text = f"{len(counted)} kills for memory within {view.spec.rollout.oom.window_seconds} s"
            return (
                reasons.Reason.OOMKilled,
                f"{text}; set resources.limits.memory to {advice}" if advice else text,
            )
    if smoke is not None and smoke.consecutive_failures >= FAILURES_TO_STEP_BACK:
        return smoke.reason, smoke.message
    return None


def _is_of_gpu(draft: drafts.Draft) -> bool:
    """Whether it was a GPU's memory that was not enough: no container's limit says which revision has more of it."""
    resources = draft.status.resources
    last = resources.last_oom if resources is not None else None
    return last is not None and last.kind == reasons.KillKind.GpuAllocationFailed


def _counts(time: datetime, horizon: datetime, active: status.Revision) -> bool:
    return time >= horizon and time >= active.since.replace(microsecond=0)


def _goal(
    view: views.View, draft: drafts.Draft, active: status.Revision, *, needs_room: bool
) -> status.Revision | None:
    """The last revision that passed, is not quarantined, and for a kill has more room; None when there is none."""
    rejected = {r.name for r in draft.status.rejected_revisions}
    for name in _passed_newest_first(view, draft):
        deployment = view.snap.deployments[name]
        if name in {active.name, view.wanted} or name in rejected:
            continue
        if needs_room and not _has_more_room(view, name, active.name):
            continue
        return status.Revision(name=name, version=deployment.version, since=view.now)
    return None


def _passed_newest_first(view: views.View, draft: drafts.Draft) -> list[str]:
    previous = draft.status.previous_revision
    passed = [d for name, d in view.snap.deployments.items() if view.pin(name) is not None]
    newest = sorted(passed, key=lambda d: (d.created_at or view.now, d.meta.revision), reverse=True)
    names = [d.meta.revision for d in newest]
    if previous is not None and previous.name in names:
        names = [previous.name, *(n for n in names if n != previous.name)]
    return names


def _has_more_room(view: views.View, goal: str, active: str) -> bool:
    """Whether going back helps against kills: a higher limit, or a smaller model under no lower one."""
    return _limit(view, goal) > _limit(view, active) or (
        _limit(view, goal) == _limit(view, active)
        and 0 < _model_bytes(view, goal) < _model_bytes(view, active)
    )


def _limit(view: views.View, revision: str) -> int:
    text = view.snap.deployments[revision].memory_limit if revision in view.snap.deployments else ""
    return int(quantities.parse_quantity(text)) if text else 0


def _model_bytes(view: views.View, revision: str) -> int:
    text = view.pin_annotation(revision, constants.ANNOTATION_MODEL_BYTES)
    return int(text) if text.isdecimal() else 0
