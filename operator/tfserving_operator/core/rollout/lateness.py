"""What takes too long: a candidate's step, and an outage or a refusal while there is no candidate.

Without it a tool that waits for health would wait for ever.
"""

from datetime import datetime, timedelta

from tfserving_operator.api import reasons, status
from tfserving_operator.core import conditions
from tfserving_operator.core.rollout import drafts, starting, views


def is_late(view: views.View, draft: drafts.Draft) -> bool:
    """Whether what is held or under way has had its time; waits that the spec asks for have no end."""
    if draft.hold is not None and draft.hold.reason in starting.WAITS:
        return False
    until = _until(view, draft)
    return until is not None and view.now >= until


def outage(view: views.View, draft: drafts.Draft) -> drafts.Hold | None:
    """What keeps a proven revision from serving, when that has lasted too long."""
    active = draft.status.active_revision
    if active is None or not _is_outage(view, draft, active) or not is_late(view, draft):
        return None
    seconds = view.spec.rollout.progress_deadline_seconds
    text = f"no pod of version {active.version} has been Ready for {seconds} s (progressDeadlineSeconds)"
    problem = next(iter(view.problems(active.name)), None)
    if problem is None:
        return drafts.Hold(reason=reasons.Reason.NotServing, message=text)
    return drafts.Hold(reason=problem.reason, message=f"{text}: {problem.message}")


def with_look(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """The draft, to be looked at again when an outage or a refusal will have lasted too long."""
    if draft.status.candidate_revision is not None:
        return draft  # its steps ask for their own
    until = _until(view, draft)
    if until is None or view.now >= until:
        return draft
    return draft.with_wake((until - view.now).total_seconds() + 0.1)


def _until(view: views.View, draft: drafts.Draft) -> datetime | None:
    active = draft.status.active_revision
    if draft.status.candidate_revision is not None:
        return starting.deadline(view, draft)
    if draft.hold is not None:
        since = _false_since(view, reasons.ConditionType.Ready)
        if active is not None and active.bake_until is not None:
            since = max(since, active.bake_until)
    elif active is not None and _is_outage(view, draft, active):
        since = _false_since(view, reasons.ConditionType.Available)
    else:
        return None
    return since + timedelta(seconds=view.spec.rollout.progress_deadline_seconds)


def _is_outage(view: views.View, draft: drafts.Draft, active: status.Revision) -> bool:
    is_settled = draft.status.candidate_revision is None and active.bake_until is None
    return is_settled and view.spec.replicas > 0 and not view.ready_pods(active.name)


def _false_since(view: views.View, kind: reasons.ConditionType) -> datetime:
    found = conditions.find(view.snap.status.conditions, kind)
    return found.last_transition_time if found is not None and found.status == "False" else view.now
