"""The bake: the new revision serves, the previous one is warm, and one failure is enough to flip back."""

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import actions
from tfserving_operator.core.rollout import drafts, killing, promoting, repeating, testing, views
from tfserving_operator.core.smoke import plans

FIRST_TEST_SECONDS = 2
"""After the flip: until then kube-proxy may still send a new connection to the previous revision."""
TEST_EVERY_SECONDS = 30
"""Through the Service, for as long as the bake lasts."""
FAILURES_TO_ROLL_BACK = 2
"""Of tests through the Service, in a row: a single one may have met a pod on its way out."""


def watch(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Flip back at the first evidence against the model that bakes."""
    active = draft.status.active_revision
    if active is None or active.bake_until is None:
        return draft
    problems = view.problems(active.name, since=active.since)
    problem = next((p for p in problems if p.about_model), None)
    if problem is not None:
        draft, message = killing.noted(view, draft, active.name, problem)
        return _failed(view, draft, reason=problem.reason, message=message)
    draft = _tested(view, draft, active)
    smoke = draft.status.smoke
    if (
        smoke is not None
        and smoke.revision == active.name
        and smoke.consecutive_failures >= FAILURES_TO_ROLL_BACK
    ):
        return _failed(view, draft, reason=smoke.reason, message=smoke.message, cause=smoke.cause)
    return draft


def _failed(
    view: views.View, draft: drafts.Draft, *, reason: str, message: str, cause: str = ""
) -> drafts.Draft:
    previous = draft.status.previous_revision
    if previous is None or previous.name not in view.snap.deployments:
        why = f"{reason}: {message}; there is no earlier revision to go back to"
        return promoting.with_no_healthy_revision(view, draft, why)
    if not view.ready_pods(previous.name):
        active = draft.status.active_revision
        if active is None or active.bake_until is None or view.now < active.bake_until:
            return draft  # it may come back, which is an event
        why = f"{reason}: {message}; no pod of version {previous.version}, the one to go back to, is Ready"
        return promoting.with_no_healthy_revision(view, draft, why)
    return promoting.with_rolled_back_in_bake(view, draft, reason=reason, message=message, cause=cause)


def _tested(view: views.View, draft: drafts.Draft, active: status.Revision) -> drafts.Draft:
    """Test through the Service, as clients reach it."""
    service = view.snap.service
    elapsed = (view.now - active.since).total_seconds() - FIRST_TEST_SECONDS
    if elapsed < 0:
        return draft.with_wake(-elapsed)
    if service is None or service.cluster_ip in {"", "None"} or view.service_names() != active.name:
        return draft
    address = plans.Target(
        pod=f"service/{service.meta.name}", address=f"{service.cluster_ip}:{constants.PORT_REST}"
    )
    return repeating.retest(
        view,
        draft,
        active,
        purpose=plans.TestPurpose.Bake,
        every_seconds=TEST_EVERY_SECONDS,
        targets=(address,),
        offset_seconds=FIRST_TEST_SECONDS,
    )


def finish(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """End the bake when its time is over and its pods are Ready: proven."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if active is None or active.bake_until is None:
        return _without_bake(draft)
    left = (active.bake_until - view.now).total_seconds()
    if left > 0:
        return draft.with_wake(left)
    hold = _unproven(view, draft, active)
    if hold is not None:
        is_last = candidate is None or candidate.name == active.name
        return (draft.with_hold(hold) if is_last else draft).with_wake(testing.RETRY_SECONDS[-1])
    text = f"revision {active.name} (version {active.version}) serves, and its bake is over"
    return draft.with_status(
        active_revision=active.model_copy(update={"bake_until": None}),
        candidate_revision=None if candidate is None or candidate.name == active.name else candidate,
    ).with_event(actions.EventType.Normal, reasons.Reason.RevisionReady, text)


def _unproven(view: views.View, draft: drafts.Draft, active: status.Revision) -> drafts.Hold | None:
    """What keeps a bake from its end though its time is over, or None."""
    smoke, over = draft.status.smoke, f"the bake of version {active.version} is over"
    if view.spec.replicas == 0:
        return drafts.Hold(reason=reasons.Reason.ScaledToZero, message=f"{over}, but spec.replicas is 0")
    if not views.is_complete(view, active.name):
        problem = next(iter(view.problems(active.name, since=active.since)), None)
        ready = f"{over}, but {len(view.ready_pods(active.name))} of {view.spec.replicas} pods are Ready"
        if problem is None:
            return drafts.Hold(reason=reasons.Reason.NotServing, message=ready)
        return drafts.Hold(reason=problem.reason, message=f"{ready}: {problem.message}")
    if smoke is not None and smoke.revision == active.name and smoke.consecutive_failures > 0:
        text = f"{over}, but its last test failed: {smoke.reason}: {smoke.message}"
        return drafts.Hold(reason=reasons.Reason(smoke.reason), message=text)
    return None


def _without_bake(draft: drafts.Draft) -> drafts.Draft:
    """With `bakeSeconds: 0` the promotion is the end of the rollout."""
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if active is None or candidate is None or candidate.name != active.name:
        return draft
    text = f"revision {active.name} (version {active.version}) serves"
    return draft.with_status(candidate_revision=None).with_event(
        actions.EventType.Normal, reasons.Reason.RevisionReady, text
    )
