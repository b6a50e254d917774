"""Which revision is on its way: the spec's, an earlier one, or none."""

from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions
from tfserving_operator.core.rollout import drafts, promoting, views


def adopt(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Take over a flip that was done but not written down, as after a crash between the two.

    The Service's annotation is patched together with its selector, and a pass is recorded before the flip:
    both together prove a promotion.
    """
    named = view.service_names()
    deployment = view.snap.deployments.get(named)
    if deployment is None or view.pin(named) is None:
        return draft
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if active is not None and active.name == named:
        return draft
    if candidate is not None and candidate.name == named:
        return promoting.with_promoted(view, draft, candidate)
    if active is None and candidate is None:
        restored = status.Revision(name=named, version=deployment.version, since=view.now)
        return draft.with_status(active_revision=restored)
    return draft


def select(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Choose the candidate: a new spec in mid-rollout starts again from the active revision."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if view.violations:
        first = view.violations[0]
        hold = drafts.Hold(reason=first.reason, message=_sentence(view), needs_person=True)
        is_rollback = candidate is not None and candidate.purpose is reasons.Purpose.Rollback
        return (draft if is_rollback else _without_unpromoted(draft)).with_hold(hold)
    if candidate is not None and candidate.purpose is reasons.Purpose.Rollback:
        if view.step_back(draft.status) is not None:
            return draft
        draft = _without_unpromoted(draft)
        candidate = draft.status.candidate_revision
    if active is not None and active.name == view.wanted:
        return draft if candidate is None or candidate.name == view.wanted else _without_unpromoted(draft)
    previous = draft.status.previous_revision
    if (
        active is not None
        and active.bake_until is not None
        and previous is not None
        and previous.name == view.wanted
        and view.ready_pods(previous.name)
    ):
        return _reverted(view, draft, active, previous)
    if view.quarantined(view.wanted, draft.status) is not None:
        return _without_unpromoted(draft)
    if candidate is not None and candidate.name == view.wanted:
        return draft
    return draft.with_status(
        candidate_revision=status.Candidate(
            name=view.wanted, version=view.spec.model.version, step=reasons.Step.Validating, since=view.now
        ),
        rejected_revisions=tuple(r for r in draft.status.rejected_revisions if r.name != view.wanted),
    )


def _sentence(view: views.View) -> str:
    return "; ".join(f"{v.field}: {v.message}" for v in view.violations)


def _without_unpromoted(draft: drafts.Draft) -> drafts.Draft:
    """Give up a candidate that was not promoted; one that bakes is the active revision's own record."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if candidate is None or (active is not None and candidate.name == active.name):
        return draft
    return draft.with_status(candidate_revision=None)


def _reverted(
    view: views.View, draft: drafts.Draft, active: status.Revision, previous: status.Revision
) -> drafts.Draft:
    """Go back at once to the previous revision, still warm, because the spec names it again."""
    message = (
        f"the spec names revision {previous.name} again, which is still warm; {active.name} was not proven"
    )
    return draft.with_status(
        active_revision=previous.model_copy(update={"since": view.now, "bake_until": None}),
        previous_revision=None,
        candidate_revision=None,
    ).with_event(actions.EventType.Normal, reasons.Reason.Promoted, message)
