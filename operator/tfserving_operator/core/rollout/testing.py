"""Smoke tests of a candidate: when they run, and what their outcomes lead to."""

from dataclasses import replace
from datetime import timedelta

from tfserving_operator.api import constants, reasons, status, types
from tfserving_operator.core import actions, conditions, health, observed, workloads
from tfserving_operator.core.rollout import drafts, killing, promoting, reaching, thrashing, views
from tfserving_operator.core.smoke import plans

EVIDENCE_CHARACTERS = 500
"""Of each check's evidence in status."""
RETRY_SECONDS = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Waits before a test that could not run is tried again; the last one repeats."""


def test(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Test the candidate's Ready pods; promote, reject, hold or try again by the outcome."""
    candidate = draft.status.candidate_revision
    if candidate is None or candidate.step is not reasons.Step.Testing:
        return draft
    is_rollback = candidate.purpose is reasons.Purpose.Rollback
    if (draft.hold is not None and not is_rollback) or not views.is_complete(view, candidate.name):
        return draft
    key = _key(view, candidate)
    request = build_request(view, draft, candidate.name, key=key, purpose=_purpose(candidate))
    if request is None:
        return draft
    draft, outcome = run(view, draft, request)
    if outcome is None:
        return draft
    digest = None if is_rollback else view.input_digest
    draft = with_smoke(view, draft, candidate.name, outcome, input_digest=digest, failures=0)
    match outcome.verdict:
        case reasons.Verdict.Pass:
            return _passed(view, draft, candidate, outcome)
        case reasons.Verdict.Fail:
            return promoting.with_rejected(
                view, draft, reason=outcome.reason, cause=outcome.cause, message=outcome.message
            )
        case reasons.Verdict.Inconclusive:
            if view.spec.smoke.on_inconclusive is types.OnInconclusive.Promote:
                return _passed(view, draft, candidate, outcome)
            text = f"{outcome.message}; add smoke cases, or set smoke.onInconclusive to Promote"
            return draft.with_hold(
                drafts.Hold(reason=reasons.Reason.Inconclusive, message=text, needs_person=True)
            )
        case None:
            reason = reasons.Reason(outcome.reason)
            return draft.with_hold(drafts.Hold(reason=reason, message=outcome.message))


def run(
    view: views.View, draft: drafts.Draft, request: plans.TestRequest
) -> tuple[drafts.Draft, plans.TestOutcome | None]:
    """The outcome of a test, which is started when it has not run yet and again when it could not run."""
    draft, outcome = _run(view, draft, request)
    if outcome is None:
        return draft, None
    draft, outcome = killing.starved(view, draft, request.revision, outcome)
    outcome = thrashing.explained(view, draft, request.revision, outcome)
    if outcome.reason == reasons.Reason.MemoryPressure:
        draft = thrashing.with_recommended(view, draft, request.revision)
    return draft, reaching.explained(view, outcome)


def _run(
    view: views.View, draft: drafts.Draft, request: plans.TestRequest
) -> tuple[drafts.Draft, plans.TestOutcome | None]:
    attempt = 0
    while True:
        state = view.snap.tests.get(f"{request.key}#{attempt}")
        if state is None:
            wait = _wait_before(view, request.key, attempt)
            if wait > 0:
                last = view.snap.tests[f"{request.key}#{attempt - 1}"].outcome
                return draft.with_wake(wait), last
            return draft.with_actions(actions.StartTest(request=_numbered(request, attempt))), _last(
                view, request.key, attempt
            )
        if state.outcome is None:
            return draft, _last(view, request.key, attempt)
        if state.outcome.verdict is not None:
            return draft, state.outcome
        attempt += 1


def _numbered(request: plans.TestRequest, attempt: int) -> plans.TestRequest:
    return replace(request, key=f"{request.key}#{attempt}")


def _last(view: views.View, key: str, attempt: int) -> plans.TestOutcome | None:
    """What the attempt before said: it goes on being the reason while the next one runs."""
    state = view.snap.tests.get(f"{key}#{attempt - 1}")
    return state.outcome if state is not None else None


def _wait_before(view: views.View, key: str, attempt: int) -> float:
    if attempt == 0:
        return 0.0
    outcome = view.snap.tests[f"{key}#{attempt - 1}"].outcome
    assert outcome is not None
    wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1]
    return (outcome.finished_at + timedelta(seconds=wait) - view.now).total_seconds()


def _key(view: views.View, candidate: status.Candidate) -> str:
    pods = ",".join(f"{p.meta.uid}/{_restarts(p)}" for p in view.ready_pods(candidate.name))
    return (
        f"{_purpose(candidate)}:{candidate.name}:{view.input_digest}:{view.spec.rollout.retry_token}:{pods}"
    )


def _restarts(pod: observed.Pod) -> int:
    return sum(c.restart_count for c in pod.containers)


def _purpose(candidate: status.Candidate) -> plans.TestPurpose:
    match candidate.purpose:
        case reasons.Purpose.Rollout:
            return plans.TestPurpose.Candidate
        case reasons.Purpose.Rollback:
            return plans.TestPurpose.Rollback


def target(pod: observed.Pod) -> plans.Target:
    """A pod's REST endpoint."""
    return plans.Target(pod=pod.meta.name, address=f"{pod.ip}:{constants.PORT_REST}")


def build_request(
    view: views.View,
    draft: drafts.Draft,
    revision: str,
    *,
    key: str,
    purpose: plans.TestPurpose,
    targets: tuple[plans.Target, ...] | None = None,
) -> plans.TestRequest | None:
    """What to test of a revision; None when its Deployment is not there (any more)."""
    deployment = view.snap.deployments.get(revision)
    if deployment is None:
        return None
    smoke, is_candidate = view.spec.smoke, purpose is plans.TestPurpose.Candidate
    fresh = is_candidate or purpose is plans.TestPurpose.CasesChanged
    active = draft.status.active_revision
    control = None
    if is_candidate and active is not None and active.name != revision:
        control = next(iter(view.ready_pods(active.name)), None)
    control_deployment = view.snap.deployments.get(active.name) if control is not None and active else None
    return plans.TestRequest(
        key=key,
        purpose=purpose,
        namespace=view.snap.owner.namespace,
        revision=revision,
        targets=targets if targets is not None else tuple(target(p) for p in view.ready_pods(revision)),
        control=target(control) if control is not None and control_deployment is not None else None,
        control_version=control_deployment.version if control_deployment is not None else None,
        control_model_name=control_deployment.model_name if control_deployment is not None else "",
        control_signature_name=control_deployment.signature_name if control_deployment is not None else "",
        model_name=deployment.model_name,
        version=deployment.version,
        signature_name=deployment.signature_name,
        cases=_spec_cases(smoke) if fresh else plans.PinnedCases(config_map=workloads.pin_name(revision)),
        checks=smoke.checks.model_dump(mode="json", by_alias=True, exclude_none=True),
        load_requests=smoke.load.requests if is_candidate else 0,
        load_concurrency=smoke.load.concurrency,
        timeout_seconds=float(smoke.timeout_seconds),
        most_rows=_most_rows(view.spec) if is_candidate else None,
        inspection=health.inspection_of(view.ready_pods(revision)),
        control_inspection=(
            health.inspection_of(view.ready_pods(active.name))
            if control_deployment is not None and active
            else None
        ),
    )


def _most_rows(spec: types.Spec) -> int | None:
    batching = spec.server.batching
    return batching.max_batch_size if batching is not None else None


def _spec_cases(smoke: types.Smoke) -> plans.SpecCases:
    return plans.SpecCases(
        inline=tuple(c.model_dump(mode="json", by_alias=True, exclude_unset=True) for c in smoke.cases),
        config_maps=tuple((c.config_map.name, c.config_map.key) for c in smoke.cases_from),
    )


def with_smoke(
    view: views.View,
    draft: drafts.Draft,
    revision: str,
    outcome: plans.TestOutcome,
    *,
    input_digest: str | None = None,
    failures: int | None = None,
) -> drafts.Draft:
    """The draft with an outcome in its status; one that says nothing new leaves it as it is.

    `input_digest` is None for pinned cases, `failures` for tests that neither add to the count nor end it.
    """
    known = draft.status.smoke
    before = known if known is not None and known.revision == revision else None
    if failures is None:
        failures = before.consecutive_failures if before is not None else 0
    if input_digest is None:
        pinned = view.pin_annotation(revision, constants.ANNOTATION_INPUT_DIGEST)
        input_digest = before.input_digest if before is not None else pinned
    if before is not None and outcome.finished_at < before.time:
        is_old = failures <= before.consecutive_failures and input_digest == before.input_digest
        if is_old:
            return draft
    after = status.SmokeStatus(
        revision=revision,
        verdict=outcome.verdict,
        reason=outcome.reason,
        cause=outcome.cause,
        message=conditions.cut(outcome.message),
        checks=_checks(outcome),
        duration_seconds=round(outcome.duration_seconds, 3),
        time=max(outcome.finished_at, before.time) if before is not None else outcome.finished_at,
        cases_digest=outcome.cases_digest,
        input_digest=input_digest,
        consecutive_failures=failures,
    )
    if before is not None:
        unmoved = after.model_copy(update={"time": before.time, "duration_seconds": before.duration_seconds})
        repeats = after.verdict is None and unmoved.message == before.message
        if unmoved == before or (repeats and before.verdict is None):
            return draft
    return draft.with_status(smoke=after)


def _checks(outcome: plans.TestOutcome) -> tuple[status.CheckStatus, ...]:
    return tuple(
        status.CheckStatus(
            name=c.name,
            verdict=c.verdict,
            message=conditions.cut(c.message),
            evidence=conditions.cut(c.evidence, EVIDENCE_CHARACTERS),
        )
        for c in outcome.checks
    )


def build_pin(
    view: views.View, revision: str, outcome: plans.TestOutcome, model_digest: str | None
) -> actions.PinCases:
    """Record the smoke input that a revision passed with."""
    report = health.inspection_of(view.ready_pods(revision))
    manifest = workloads.build_pin(
        owner=view.snap.owner,
        revision=revision,
        pinned_cases=outcome.pinned_cases,
        cases_digest=outcome.cases_digest,
        model_digest=model_digest or "",
        input_digest=view.input_digest,
        model_bytes=report.variable_bytes if report is not None else None,
    )
    pin = view.pin(revision)
    return actions.PinCases(manifest=manifest, replaces_uid=pin.meta.uid if pin is not None else "")


def _passed(
    view: views.View, draft: drafts.Draft, candidate: status.Candidate, outcome: plans.TestOutcome
) -> drafts.Draft:
    is_rollback = candidate.purpose is reasons.Purpose.Rollback
    if view.spec.rollout.paused and not is_rollback:
        text = "the smoke test passed; spec.rollout.paused holds the promotion"
        return draft.with_hold(drafts.Hold(reason=reasons.Reason.Paused, message=text))
    if view.snap.service is None:
        return draft.with_wake(1.0)
    pinned = view.pin_annotation(candidate.name, constants.ANNOTATION_CASES_DIGEST)
    if pinned != outcome.cases_digest or view.pin(candidate.name) is None:
        draft = draft.with_actions(build_pin(view, candidate.name, outcome, candidate.model_digest))
    return promoting.with_promoted(view, draft, candidate)
