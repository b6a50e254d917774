"""Tests of the active revision: again after a while, with changed cases, and of each new pod."""

from datetime import datetime

from tfserving_operator.api import constants, reasons, status
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
    """Run the pinned cases once in every period since the promotion, and once more right after a failure.

    A test that outlasts its period is waited for: its answer counts, and the next one starts after it.
    """
    elapsed = (view.now - active.since).total_seconds() - offset_seconds
    index = int(elapsed // every_seconds)
    draft = draft.with_wake((index + 1) * every_seconds - elapsed)
    prefix = f"{purpose}:{active.name}:{active.since.isoformat()}:"
    begun = [int(key.removeprefix(prefix).split(":")[0]) for key in view.snap.tests if key.startswith(prefix)]
    for period in sorted({max(begun, default=index), index}):
        for failures, attempt in enumerate(("first", "again")):
            key = f"{prefix}{period}:{attempt}"
            request = testing.build_request(
                view, draft, active.name, key=key, purpose=purpose, targets=targets
            )
            if request is None or not request.targets:
                return draft
            draft, outcome = testing.run(view, draft, request)
            if outcome is None or outcome.verdict is None:
                return draft
            if outcome.verdict is not reasons.Verdict.Fail:
                draft = _recovered(view, draft, active, outcome)
                break
            draft = testing.with_smoke(view, draft, active.name, outcome, failures=failures + 1)
    return draft


def _recovered(
    view: views.View, draft: drafts.Draft, active: status.Revision, outcome: plans.TestOutcome
) -> drafts.Draft:
    """A pass is written down only where it changes what was said: repeated passes cost no writes."""
    smoke = draft.status.smoke
    if outcome.verdict is not reasons.Verdict.Pass or smoke is None or smoke.revision != active.name:
        return draft  # what was said of the newest revision stays
    if smoke.verdict is reasons.Verdict.Pass or _is_of_changed_cases(smoke):
        return draft
    return testing.with_smoke(view, draft, active.name, outcome, failures=0)


def _is_of_changed_cases(smoke: status.SmokeStatus) -> bool:
    return smoke.reason == reasons.Reason.CasesChanged or not smoke.input_digest


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
    active = draft.status.active_revision
    if active is None or active.bake_until is not None or active.name != view.wanted or view.violations:
        return draft
    if draft.hold is not None or not _is_input_new(view, draft, active):
        return draft
    key = f"{plans.TestPurpose.CasesChanged}:{active.name}:{view.input_digest}"
    request = testing.build_request(view, draft, active.name, key=key, purpose=plans.TestPurpose.CasesChanged)
    if request is None or not request.targets:
        return draft
    draft, outcome = testing.run(view, draft, request)
    if outcome is None:
        return draft
    # Without a verdict the input was not tested: the empty digest asks for it again
    digest = view.input_digest if outcome.verdict is not None else ""
    before = draft.status.smoke
    draft = testing.with_smoke(view, draft, active.name, outcome, input_digest=digest)
    match outcome.verdict:
        case reasons.Verdict.Pass:
            pin = testing.build_pin(view, active.name, outcome, active.model_digest)
            return draft.with_actions(pin)
        case reasons.Verdict.Fail:
            text = f"version {active.version} fails the changed smoke cases and serves on: {outcome.message}"
            return _of_changed_cases(draft, before, outcome).with_event(
                actions.EventType.Warning, reasons.Reason.CasesChanged, text
            )
        case reasons.Verdict.Inconclusive:
            return _of_changed_cases(draft, before, outcome)
        case None:
            return draft


def _is_input_new(view: views.View, draft: drafts.Draft, active: status.Revision) -> bool:
    """Whether the active revision was last tested with another smoke input than the spec's."""
    smoke = draft.status.smoke
    if smoke is not None and smoke.revision == active.name:
        return smoke.input_digest != view.input_digest
    return view.pin_annotation(active.name, constants.ANNOTATION_INPUT_DIGEST) not in {"", view.input_digest}


def _of_changed_cases(
    draft: drafts.Draft, before: status.SmokeStatus | None, outcome: plans.TestOutcome
) -> drafts.Draft:
    smoke = draft.status.smoke
    if smoke is None or smoke is before:
        return draft
    message = f"{outcome.reason}: {smoke.message}"
    changed = smoke.model_copy(update={"reason": reasons.Reason.CasesChanged, "message": message})
    return draft.with_status(smoke=changed)


def new_pods(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Test each pod that joined the active revision once; a failure is reported and rejects nothing alone."""
    active = draft.status.active_revision
    if active is None or view.pin(active.name) is None:
        return draft
    failed: list[tuple[str, plans.TestOutcome]] = []
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
            failed.append((pod.meta.name, outcome))
    if not failed:
        return draft
    name, newest = max(failed, key=lambda f: f[1].finished_at)
    return _reported(view, draft, active, name, newest)


def _reported(
    view: views.View, draft: drafts.Draft, active: status.Revision, pod: str, outcome: plans.TestOutcome
) -> drafts.Draft:
    after = testing.with_smoke(view, draft, active.name, outcome)
    # As read, not as drafted: the test of a candidate may have taken its place in this decision
    told = view.snap.status.smoke
    if told is not None and told.revision == active.name and told.time >= outcome.finished_at:
        return after
    if after.status.smoke is draft.status.smoke:
        return after  # another new pod said the same
    text = f"new pod {pod} of version {active.version}: {outcome.reason}: {outcome.message}"
    return after.with_event(actions.EventType.Warning, reasons.Reason(outcome.reason), text)


def _to_seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)
