"""A candidate that passed takes the traffic; one that failed is quarantined."""

from datetime import timedelta

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import actions, conditions
from tfserving_operator.core.rollout import drafts, views


def with_promoted(view: views.View, draft: drafts.Draft, candidate: status.Candidate) -> drafts.Draft:
    """The candidate is the active revision: the Service follows from the status (`converging.service`)."""
    if candidate.purpose is reasons.Purpose.Rollback:
        return _with_rolled_back(view, draft, candidate)
    bakes = view.spec.rollout.bake_seconds > 0
    until = view.now + timedelta(seconds=view.spec.rollout.bake_seconds) if bakes else None
    smoke = draft.status.smoke
    told = smoke is not None and smoke.revision == candidate.name
    if smoke is None or not told or smoke.verdict in {reasons.Verdict.Fail, None}:
        digest = view.pin_annotation(candidate.name, constants.ANNOTATION_CASES_DIGEST)
        smoke = status.SmokeStatus(
            revision=candidate.name,
            verdict=reasons.Verdict.Pass,
            reason=reasons.Reason.Passed,
            message="passed; the details were lost in a restart of the operator",
            time=view.now,
            cases_digest=digest,
            input_digest=view.pin_annotation(candidate.name, constants.ANNOTATION_INPUT_DIGEST)
            or view.input_digest,
        )
    message = f"the Service was pointed at revision {candidate.name} (version {candidate.version})"
    return (
        draft.with_step(reasons.Step.Baking, view.now)
        .with_status(
            active_revision=_revision(view, candidate).model_copy(update={"bake_until": until}),
            previous_revision=draft.status.active_revision,
            smoke=smoke,
        )
        .with_event(actions.EventType.Normal, reasons.Reason.Promoted, message)
    )


def _with_rolled_back(view: views.View, draft: drafts.Draft, candidate: status.Candidate) -> drafts.Draft:
    """The earlier revision serves again; the one it replaces is quarantined for what started the step back."""
    active, used = draft.status.active_revision, draft.status.step_back
    assert active is not None
    reason = used.reason if used is not None else str(reasons.Reason.RolledBack)
    why = used.message if used is not None else ""
    rejection = _rejection(view, active.name, active.version, reason=reason, cause="", message=why)
    return draft.with_status(
        active_revision=_revision(view, candidate),
        previous_revision=None,
        candidate_revision=None,
        rejected_revisions=drafts.with_rejection(draft.status.rejected_revisions, rejection),
    ).with_event(
        actions.EventType.Warning,
        reasons.Reason.RolledBack,
        f"revision {candidate.name} (version {candidate.version}) serves again; {active.name} was rejected: {why}",
    )


def _revision(view: views.View, candidate: status.Candidate) -> status.Revision:
    return status.Revision(
        name=candidate.name, version=candidate.version, model_digest=candidate.model_digest, since=view.now
    )


def _rejection(
    view: views.View, name: str, version: int, *, reason: str, cause: str, message: str
) -> status.Rejection:
    return status.Rejection(
        name=name,
        version=version,
        reason=reason,
        cause=cause,
        message=conditions.cut(message),
        time=view.now,
        smoke_digest=view.input_digest,
        retry_token=view.spec.rollout.retry_token,
    )


def with_rejected(
    view: views.View, draft: drafts.Draft, *, reason: str, message: str, cause: str = ""
) -> drafts.Draft:
    """Quarantine the candidate. A failed step back leaves the newer revision where it is."""
    candidate = draft.status.candidate_revision
    assert candidate is not None
    if candidate.purpose is reasons.Purpose.Rollback:
        return with_no_healthy_revision(view, draft, _failed_too(draft, candidate, reason, message))
    rejection = _rejection(
        view, candidate.name, candidate.version, reason=reason, cause=cause, message=message
    )
    active = draft.status.active_revision
    serving = f"version {active.version} serves on" if active is not None else "nothing serves"
    text = f"version {candidate.version} was rejected: {_named(reason, cause)}: {message}; {serving}"
    return draft.with_status(
        candidate_revision=None,
        rejected_revisions=drafts.with_rejection(draft.status.rejected_revisions, rejection),
    ).with_event(actions.EventType.Warning, reasons.Reason.Rejected, text)


def with_rolled_back_in_bake(
    view: views.View, draft: drafts.Draft, *, reason: str, message: str, cause: str = ""
) -> drafts.Draft:
    """Flip back to the previous revision, which is still warm, and quarantine the active one."""
    active, previous, candidate = (
        draft.status.active_revision,
        draft.status.previous_revision,
        draft.status.candidate_revision,
    )
    assert active is not None
    assert previous is not None
    rejection = _rejection(view, active.name, active.version, reason=reason, cause=cause, message=message)
    text = f"version {active.version} was rolled back to version {previous.version}: {_named(reason, cause)}: {message}"
    return draft.with_status(
        active_revision=previous.model_copy(update={"since": view.now, "bake_until": None}),
        previous_revision=None,
        candidate_revision=None if candidate is None or candidate.name == active.name else candidate,
        rejected_revisions=drafts.with_rejection(draft.status.rejected_revisions, rejection),
    ).with_event(actions.EventType.Warning, reasons.Reason.RolledBack, text)


def with_no_healthy_revision(view: views.View, draft: drafts.Draft, message: str) -> drafts.Draft:
    """The active revision fails and stays: there is nothing better to go back to."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    assert active is not None
    ended = candidate is not None and (
        candidate.purpose is reasons.Purpose.Rollback or candidate.name == active.name
    )
    return draft.with_status(
        active_revision=active.model_copy(update={"bake_until": None}),
        candidate_revision=None if ended else candidate,
        step_back=status.StepBack(
            reason=reasons.Reason.NoHealthyRevision,
            message=conditions.cut(message),
            generation=view.snap.owner.generation,
            spec_digest=view.spec_digest,
            retry_token=view.spec.rollout.retry_token,
            from_revision=active.name,
            time=view.now,
        ),
    ).with_event(actions.EventType.Warning, reasons.Reason.NoHealthyRevision, message)


def _failed_too(draft: drafts.Draft, candidate: status.Candidate, reason: str, message: str) -> str:
    active, used = draft.status.active_revision, draft.status.step_back
    assert active is not None
    first = f" ({used.reason}: {used.message})" if used is not None else ""
    return (
        f"version {active.version} fails{first} and stays: version {candidate.version}, the one to go back to, "
        f"failed too: {reason}: {message}"
    )


def _named(reason: str, cause: str) -> str:
    return f"{reason} ({cause})" if cause else reason
