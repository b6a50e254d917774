"""Tests of the active revision: again after a while, with changed cases, and of each new pod."""

from datetime import datetime

from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions
from tfserving_operator.core.rollout import drafts, testing, views
from tfserving_operator.core.smoke import plans


def retest(
    view: views.View,
    draft: drafts.Draft,
    active: status.Revision,
    *,
    purpose: plans.TestPurpose,
    every_seconds: int,
    targets: tuple[plans.Target, ...] | None = None,
    offset_seconds: int = 0,
) -> drafts.Draft:
    """Run the pinned cases once in every period since the promotion, and once more right after a failure."""
    elapsed = (view.now - active.since).total_seconds() - offset_seconds
    index = int(elapsed // every_seconds)
    draft = draft.with_wake((index + 1) * every_seconds - elapsed)
    for failures, attempt in enumerate(("first", "again")):
        key = f"{purpose}:{active.name}:{active.since.isoformat()}:{index}:{attempt}"
        request = testing.build_request(view, draft, active.name, key=key, purpose=purpose, targets=targets)
        if request is None or not request.targets:
            return draft
        draft, outcome = testing.run(view, draft, request)
        if outcome is None or outcome.verdict is None or outcome.verdict is reasons.Verdict.Inconclusive:
            return draft
        if outcome.verdict is reasons.Verdict.Pass:
            return _recovered(view, draft, active, outcome)
        draft = testing.with_smoke(view, draft, active.name, outcome, failures=failures + 1)
    return draft


def _recovered(
    view: views.View, draft: drafts.Draft, active: status.Revision, outcome: plans.TestOutcome
) -> drafts.Draft:
    """A pass is written down only where it changes what was said: repeated passes cost no writes."""
    smoke = draft.status.smoke
    if smoke is None or smoke.verdict is reasons.Verdict.Pass or _is_of_changed_cases(smoke):
        return draft
    return testing.with_smoke(view, draft, active.name, outcome)


def _is_of_changed_cases(smoke: status.SmokeStatus) -> bool:
    return smoke.reason == reasons.Reason.CasesChanged


def repeat(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Test the proven active revision again, for ever (`smoke.repeatSeconds`)."""
    active, every = draft.status.active_revision, view.spec.smoke.repeat_seconds
    if active is None or active.bake_until is not None or every == 0 or view.pin(active.name) is None:
        return draft
    if (view.now - active.since).total_seconds() < every:
        return draft.with_wake(every - (view.now - active.since).total_seconds())
    return retest(view, draft, active, purpose=plans.TestPurpose.Repeat, every_seconds=every)


def cases_changed(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Test the active revision once with a changed smoke input: a pass replaces the pin."""
    active, smoke = draft.status.active_revision, draft.status.smoke
    if active is None or active.bake_until is not None or active.name != view.wanted or view.violations:
        return draft
    if smoke is None or smoke.revision != active.name or smoke.input_digest == view.input_digest:
        return draft
    key = f"{plans.TestPurpose.CasesChanged}:{active.name}:{view.input_digest}"
    request = testing.build_request(view, draft, active.name, key=key, purpose=plans.TestPurpose.CasesChanged)
    if request is None or not request.targets:
        return draft
    draft, outcome = testing.run(view, draft, request)
    if outcome is None:
        return draft
    if outcome.verdict is None:
        return draft.with_hold(drafts.Hold(reason=reasons.Reason(outcome.reason), message=outcome.message))
    draft = testing.with_smoke(view, draft, active.name, outcome)
    if outcome.verdict is reasons.Verdict.Pass:
        return draft.with_actions(testing.build_pin(view, active.name, outcome, active.model_digest))
    failed = draft.status.smoke
    assert failed is not None
    changed = failed.model_copy(
        update={"reason": reasons.Reason.CasesChanged, "message": f"{outcome.reason}: {failed.message}"}
    )
    text = f"version {active.version} fails the changed smoke cases and serves on: {outcome.message}"
    return draft.with_status(smoke=changed).with_event(
        actions.EventType.Warning, reasons.Reason.CasesChanged, text
    )


def new_pods(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Test each pod that joined the active revision once; a failure is reported and rejects nothing alone."""
    active = draft.status.active_revision
    if active is None or view.pin(active.name) is None:
        return draft
    for pod in view.ready_pods(active.name):
        if pod.created_at is None or pod.created_at < _to_seconds(active.since):
            continue
        key = f"{plans.TestPurpose.NewPod}:{active.name}:{pod.meta.uid}"
        request = testing.build_request(
            view,
            draft,
            active.name,
            key=key,
            purpose=plans.TestPurpose.NewPod,
            targets=(testing.target(pod),),
        )
        if request is None:
            continue
        draft, outcome = testing.run(view, draft, request)
        if outcome is not None and outcome.verdict is reasons.Verdict.Fail:
            draft = _reported(view, draft, active, pod.meta.name, outcome)
    return draft


def _reported(
    view: views.View, draft: drafts.Draft, active: status.Revision, pod: str, outcome: plans.TestOutcome
) -> drafts.Draft:
    smoke = draft.status.smoke
    if smoke is not None and smoke.time >= _to_seconds(outcome.finished_at):
        return draft
    text = f"new pod {pod} of version {active.version}: {outcome.reason}: {outcome.message}"
    return testing.with_smoke(view, draft, active.name, outcome).with_event(
        actions.EventType.Warning, reasons.Reason(outcome.reason), text
    )


def _to_seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)
