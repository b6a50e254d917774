"""Conditions, phase and counters: what people and tools read, derived from the rest of the status."""

from dataclasses import dataclass
from datetime import datetime

from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import actions, conditions, snapshot, workloads
from tfserving_operator.core.rollout import drafts, going_back, lateness, sizing, views

_STEP_REASONS = {
    reasons.Step.Validating: reasons.Reason.RevisionStarting,
    reasons.Step.Starting: reasons.Reason.RevisionStarting,
    reasons.Step.Testing: reasons.Reason.RevisionTesting,
    reasons.Step.Promoting: reasons.Reason.RevisionTesting,
    reasons.Step.Baking: reasons.Reason.Baking,
}
_STEP_PHASES = {
    reasons.Step.Validating: reasons.Phase.Pending,
    reasons.Step.Starting: reasons.Phase.Starting,
    reasons.Step.Testing: reasons.Phase.Testing,
    reasons.Step.Promoting: reasons.Phase.Testing,
    reasons.Step.Baking: reasons.Phase.Baking,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """One condition's answer."""

    status: str
    reason: str
    message: str = ""

    @property
    def holds(self) -> bool:
        """Whether the condition is True."""
        return self.status == "True"


def finish(view: views.View, draft: drafts.Draft) -> actions.Decision:
    """The decision of a draft, with conditions, phase and counters."""
    stalled = _stalled(view, draft)
    ready = _ready(view, draft, stalled)
    states = {
        reasons.ConditionType.Ready: ready,
        reasons.ConditionType.Available: _available(view, draft),
        reasons.ConditionType.Progressing: _progressing(draft),
        reasons.ConditionType.Stalled: stalled,
        reasons.ConditionType.ResourcesValid: _resources_valid(view, draft),
        reasons.ConditionType.SmokeTestPassed: _smoke_test_passed(draft),
    }
    draft = lateness.with_look(view, _with_stall_event(view, draft, stalled))
    draft = _with_counters(view, draft).with_status(
        conditions=_conditions(draft.status.conditions, states, view.snap.owner.generation, view.now),
        observed_generation=view.snap.owner.generation,
        phase=_phase(view, draft, ready, stalled),
    )
    return _decision(draft)


def unreadable(snap: snapshot.Snapshot, draft: drafts.Draft, now: datetime) -> actions.Decision:
    """The decision about a spec that cannot be read: say so, change nothing."""
    invalid = reasons.Reason.InvalidSpec
    states = {
        reasons.ConditionType.Ready: State(status="False", reason=invalid, message=snap.spec_error),
        reasons.ConditionType.Stalled: State(status="True", reason=invalid, message=snap.spec_error),
    }
    known = conditions.find(snap.status.conditions, reasons.ConditionType.Stalled)
    if known is None or known.status != "True" or known.message != conditions.cut(snap.spec_error):
        draft = draft.with_event(actions.EventType.Warning, invalid, snap.spec_error)
    draft = draft.with_status(
        conditions=_conditions(draft.status.conditions, states, snap.owner.generation, now),
        observed_generation=snap.owner.generation,
        phase=reasons.Phase.Stalled,
    )
    return _decision(draft)


def _decision(draft: drafts.Draft) -> actions.Decision:
    return actions.Decision(
        status=draft.status,
        actions=draft.planned,
        events=draft.told,
        requeue_after_seconds=draft.wake_seconds,
    )


def _conditions(
    before: tuple[status.Condition, ...],
    states: dict[reasons.ConditionType, State],
    generation: int,
    now: datetime,
) -> tuple[status.Condition, ...]:
    after = before
    for kind, state in states.items():
        after = conditions.with_condition(
            after,
            kind=kind,
            state=state.status,
            reason=state.reason,
            message=state.message,
            generation=generation,
            now=now,
        )
    return after


def _stalled(view: views.View, draft: drafts.Draft) -> State:
    rejection = view.quarantined(view.wanted, draft.status)
    active, hold = draft.status.active_revision, draft.hold
    used = view.step_back(draft.status)
    if hold is not None and (hold.needs_person or lateness.is_late(view, draft)):
        return State(status="True", reason=hold.reason, message=hold.message)
    if draft.status.candidate_revision is not None and lateness.is_late(view, draft):
        seconds = view.spec.rollout.progress_deadline_seconds
        text = f"step {draft.status.candidate_revision.step} took longer than {seconds} s (progressDeadlineSeconds)"
        return State(status="True", reason=reasons.Reason.DeadlineExceeded, message=text)
    if (
        used is not None
        and active is not None
        and going_back.is_without_goal(used, active, draft.status.smoke)
    ):
        return State(status="True", reason=reasons.Reason.NoHealthyRevision, message=used.message)
    if rejection is not None and not view.violations:
        reason = reasons.Reason.RolledBack if active is not None else reasons.Reason.Rejected
        return State(status="True", reason=reason, message=_rejected(rejection, active))
    changed = _changed_model(view, draft)
    if changed is not None:
        return changed
    outage = lateness.outage(view, draft)
    if outage is not None:
        return State(status="True", reason=outage.reason, message=outage.message)
    return State(status="False", reason=reasons.Reason.NotStalled)


def _changed_model(view: views.View, draft: drafts.Draft) -> State | None:
    active = draft.status.active_revision
    if active is None:
        return None
    for problem in view.problems(active.name):
        if problem.reason is reasons.Reason.ModelChanged:
            return State(status="True", reason=problem.reason, message=problem.message)
    return None


def _rejected(rejection: status.Rejection, active: status.Revision | None) -> str:
    cause = f" ({rejection.cause})" if rejection.cause and rejection.cause != rejection.reason else ""
    serving = f"version {active.version} serves" if active is not None else "nothing serves"
    return (
        f"version {rejection.version} was rejected: {rejection.reason}{cause}: {rejection.message}; {serving}"
    )


def _ready(view: views.View, draft: drafts.Draft, stalled: State) -> State:
    active, candidate = draft.status.active_revision, draft.status.candidate_revision
    if stalled.holds:
        return State(status="False", reason=stalled.reason, message=stalled.message)
    if draft.hold is not None:
        return State(status="False", reason=draft.hold.reason, message=draft.hold.message)
    if candidate is not None:
        text = f"version {candidate.version} is on its way: {candidate.step}"
        return State(status="False", reason=_STEP_REASONS[candidate.step], message=text)
    if active is None or active.name != view.wanted:
        return State(status="False", reason=reasons.Reason.Reconciling)
    if active.bake_until is not None:
        return State(status="False", reason=reasons.Reason.Baking, message=f"version {active.version} bakes")
    if view.spec.replicas == 0:
        return State(status="False", reason=reasons.Reason.ScaledToZero, message="spec.replicas is 0")
    if not view.ready_pods(active.name):
        problem = next(iter(view.problems(active.name)), None)
        text = problem.message if problem is not None else f"no pod of version {active.version} is Ready"
        return State(status="False", reason=reasons.Reason.NotServing, message=text)
    return State(
        status="True", reason=reasons.Reason.RevisionReady, message=f"version {active.version} serves, proven"
    )


def _available(view: views.View, draft: drafts.Draft) -> State:
    active = draft.status.active_revision
    if active is None:
        return State(
            status="False", reason=reasons.Reason.NoActiveRevision, message="no revision was promoted yet"
        )
    if view.ready_pods(active.name):
        return State(status="True", reason=reasons.Reason.Serving, message=f"version {active.version} serves")
    return State(
        status="False",
        reason=reasons.Reason.NotServing,
        message=f"no pod of version {active.version} is Ready",
    )


def _progressing(draft: drafts.Draft) -> State:
    candidate = draft.status.candidate_revision
    if candidate is None:
        return State(status="False", reason=reasons.Reason.Idle)
    if draft.hold is not None:
        return State(status="True", reason=draft.hold.reason, message=draft.hold.message)
    text = f"version {candidate.version}: {candidate.step}"
    return State(status="True", reason=_STEP_REASONS[candidate.step], message=text)


def _resources_valid(view: views.View, draft: drafts.Draft) -> State:
    for violation in view.violations:
        if violation.reason is reasons.Reason.InvalidResources:
            text = f"{violation.field}: {violation.message}"
            return State(status="False", reason=violation.reason, message=text)
    short = {reasons.Reason.QuotaExceeded, reasons.Reason.PodsRefused}
    candidate = draft.status.candidate_revision
    if candidate is not None and candidate.step is reasons.Step.Validating:
        short.add(reasons.Reason.Unschedulable)  # no node is large enough; a pod that waits is another matter
    if draft.hold is not None and draft.hold.reason in short:
        return State(status="False", reason=draft.hold.reason, message=draft.hold.message)
    rejection = view.quarantined(view.wanted, draft.status)
    if rejection is not None and rejection.reason == reasons.Reason.MemoryBelowFloor:
        return State(status="False", reason=rejection.reason, message=rejection.message)
    texts = [f"{warning.field}: {warning.message}" for warning in view.warnings]
    texts += filter(None, [sizing.warning(view, draft)])
    return State(status="True", reason=reasons.Reason.Valid, message="; ".join(texts))


def _smoke_test_passed(draft: drafts.Draft) -> State:
    smoke = draft.status.smoke
    if smoke is None:
        return State(status="Unknown", reason=reasons.Reason.NotTested)
    text = f"{smoke.revision}: {smoke.message}"
    match smoke.verdict:
        case reasons.Verdict.Pass:
            return State(status="True", reason=reasons.Reason.Passed, message=text)
        case reasons.Verdict.Fail:
            return State(status="False", reason=smoke.reason, message=text)
        case reasons.Verdict.Inconclusive:
            return State(status="Unknown", reason=reasons.Reason.Inconclusive, message=text)
        case None:
            return State(status="Unknown", reason=smoke.reason, message=text)


def _with_stall_event(view: views.View, draft: drafts.Draft, stalled: State) -> drafts.Draft:
    """Tell once of a stall that no other Event of this decision tells of."""
    before = conditions.find(view.snap.status.conditions, reasons.ConditionType.Stalled)
    told = {reasons.Reason.RolledBack, reasons.Reason.Rejected, reasons.Reason.NoHealthyRevision}
    if not stalled.holds or stalled.reason in told:
        return draft
    if before is not None and before.status == "True" and before.reason == stalled.reason:
        return draft
    return draft.with_event(actions.EventType.Warning, reasons.Reason(stalled.reason), stalled.message)


def _with_counters(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Replicas and selector of the active revision only: an HPA must not average over a candidate."""
    active = draft.status.active_revision
    name = active.name if active is not None else workloads.NO_REVISION
    owner = view.snap.owner
    host = f"{owner.name}.{owner.namespace}.svc"
    return draft.with_status(
        replicas=len(view.pods(name)),
        ready_replicas=len(view.ready_pods(name)),
        selector=f"{constants.LABEL_NAME}={owner.name},{constants.LABEL_REVISION}={name}",
        endpoints=status.Endpoints(
            rest=f"http://{host}:{constants.PORT_REST}/v1/models/{view.model_name_of(name)}",
            grpc=f"{host}:{constants.PORT_GRPC}",
        ),
    )


def _phase(view: views.View, draft: drafts.Draft, ready: State, stalled: State) -> reasons.Phase:
    candidate = draft.status.candidate_revision
    if ready.holds:
        return reasons.Phase.Ready
    if stalled.holds:
        phases = {
            reasons.Reason.RolledBack: reasons.Phase.RolledBack,
            reasons.Reason.Rejected: reasons.Phase.Rejected,
        }
        return phases.get(reasons.Reason(stalled.reason), reasons.Phase.Stalled)
    if draft.hold is not None and draft.hold.reason is reasons.Reason.Paused:
        return reasons.Phase.Paused
    if view.spec.replicas == 0:
        return reasons.Phase.ScaledToZero
    if candidate is not None:
        return _STEP_PHASES[candidate.step]
    active = draft.status.active_revision
    return (
        reasons.Phase.Baking
        if active is not None and active.bake_until is not None
        else reasons.Phase.Pending
    )
