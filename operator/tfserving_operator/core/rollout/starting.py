"""From a name to Ready pods: Validating and Starting."""

from datetime import datetime, timedelta
from typing import Any

from tfserving_operator.api import reasons, status, types
from tfserving_operator.core import actions, health, room, sources, workloads
from tfserving_operator.core.rollout import drafts, killing, promoting, thrashing, views

READ_WRITE_ONCE = "ReadWriteOnce"
READ_WRITE_ONCE_POD = "ReadWriteOncePod"

WAITS = frozenset({reasons.Reason.Paused, reasons.Reason.ScaledToZero})
"""Why a candidate waits as it was asked to: that is no delay."""
_AT_ZERO = drafts.Hold(
    reason=reasons.Reason.ScaledToZero, message="spec.replicas is 0: nothing can be tested"
)


def start(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Let a new candidate start when nothing speaks against it."""
    candidate = draft.status.candidate_revision
    if candidate is None or candidate.step is not reasons.Step.Validating:
        return draft
    hold = _gate(view, is_rollback=candidate.purpose is reasons.Purpose.Rollback)
    short = _shortage(view, candidate) if hold is None else None
    if short is not None and view.spec.resource_policy is types.ResourcePolicy.Enforce:
        hold = drafts.Hold(reason=short.reason, message=short.message)
    if hold is None and _is_of_another_policy(view, candidate):
        draft = _with_deployment_deleted(view, draft, candidate.name)
        text = f"revision {candidate.name} is made again with resourcePolicy {view.spec.resource_policy}"
        hold = drafts.Hold(reason=reasons.Reason.RevisionStarting, message=text)
    if hold is None and any(p.about_model for p in view.problems(candidate.name, since=candidate.since)):
        # It is judged by its own pods: those of an earlier life go first
        text = f"pods of revision {candidate.name} that failed before end first"
        hold = drafts.Hold(reason=reasons.Reason.RevisionStarting, message=text)
    if hold is not None:
        draft = draft.with_hold(hold)
        return draft if hold.reason in WAITS else draft.with_wake(_until_deadline(view, draft))
    if short is not None:
        draft = draft.with_event(actions.EventType.Warning, short.reason, short.message)
    text = f"revision {candidate.name} (version {candidate.version}) is starting"
    return draft.with_step(reasons.Step.Starting, view.now).with_event(
        actions.EventType.Normal, reasons.Reason.RevisionStarting, text
    )


def _is_of_another_policy(view: views.View, candidate: status.Candidate) -> bool:
    """Whether the inspectors of a revision that never passed would follow another policy than the spec's."""
    deployment = view.snap.deployments.get(candidate.name)
    if deployment is None or view.pin(candidate.name) is not None:
        return False
    return deployment.resource_policy not in {"", str(view.spec.resource_policy)}


def _with_deployment_deleted(view: views.View, draft: drafts.Draft, revision: str) -> drafts.Draft:
    meta = view.snap.deployments[revision].meta
    if meta.deleting or view.is_refused("Deployment", revision):
        return draft
    return draft.with_actions(actions.Delete(kind="Deployment", name=meta.name, uid=meta.uid))


def _shortage(view: views.View, candidate: status.Candidate) -> room.Shortage | None:
    """What the namespace or its nodes lack for a new revision.

    One whose pods are there already is counted in the quotas, and one that traffic goes back to must not wait.
    """
    is_new = view.snap.deployments.get(candidate.name) is None
    if candidate.purpose is reasons.Purpose.Rollback or not is_new:
        return None
    return next(room.shortages(view.spec, view.snap.surroundings), None)


def _gate(view: views.View, *, is_rollback: bool) -> drafts.Hold | None:
    if view.spec.replicas == 0:
        return _AT_ZERO
    if is_rollback:
        return None
    if view.spec.rollout.paused:
        return drafts.Hold(reason=reasons.Reason.Paused, message="spec.rollout.paused holds the start")
    claim, name = view.snap.claim, sources.parse(view.spec.model.uri).claim
    if claim is None:
        text = f"spec.model.uri: PersistentVolumeClaim {name} is not in namespace {view.snap.owner.namespace}"
        return drafts.Hold(reason=reasons.Reason.ClaimMissing, message=text)
    if READ_WRITE_ONCE_POD in claim.access_modes:
        text = (
            f"spec.model.uri: PersistentVolumeClaim {name} is ReadWriteOncePod, which a revision and the next one "
            "cannot share; use ReadOnlyMany, ReadWriteMany or ReadWriteOnce"
        )
        return drafts.Hold(reason=reasons.Reason.ClaimAccessMode, message=text, needs_person=True)
    return None


def ensure_objects(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Ask for what is not there: the Service, and the objects of the wanted revision; a crash loses none."""
    candidate, active = draft.status.candidate_revision, draft.status.active_revision
    started = candidate if candidate is not None and candidate.step is not reasons.Step.Validating else None
    in_use = {r.name for r in (active, started) if r is not None}
    if not in_use:
        return draft
    is_wanted = view.wanted in in_use and not view.violations
    hold = _refused(view, is_wanted=is_wanted)
    if hold is not None:
        return draft.with_hold(hold)
    if view.snap.service is None:
        draft = draft.with_actions(actions.Create(manifest=_service(view, active)))
    return _with_revision(view, draft) if is_wanted else draft


def _service(view: views.View, active: status.Revision | None) -> dict[str, Any]:
    spec = view.spec if not view.violations else view.spec.model_copy(update={"service": types.Service()})
    name = active.name if active is not None else None
    return workloads.build_service(owner=view.snap.owner, spec=spec, active_revision=name)


def _with_revision(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    owner, spec, snap = view.snap.owner, view.spec, view.snap
    if view.wanted not in snap.config_maps:
        manifest = workloads.build_config_map(owner=owner, spec=spec, revision=view.wanted)
        draft = draft.with_actions(actions.Create(manifest=manifest))
    if view.wanted not in snap.deployments:
        modes = snap.claim.access_modes if snap.claim is not None else ()
        manifest = workloads.build_deployment(
            owner=owner,
            spec=spec,
            policy=snap.policy,
            revision=view.wanted,
            replicas=spec.replicas,
            colocate=modes == (READ_WRITE_ONCE,),
        )
        draft = draft.with_actions(actions.Create(manifest=manifest))
    return draft


def _refused(view: views.View, *, is_wanted: bool) -> drafts.Hold | None:
    ours = {view.snap.owner.name}
    if is_wanted:
        ours |= {view.wanted, workloads.pin_name(view.wanted)}
    for refusal in view.snap.refusals:
        if refusal.name not in ours:
            continue
        if refusal.name_taken:
            text = (
                f"{refusal.kind} {refusal.name} is there and is not ours; rename it or the ModelDeployment "
                "(nothing of it was changed)"
            )
            return drafts.Hold(reason=reasons.Reason.NameTaken, message=text, needs_person=True)
        problem = health.refused(f"{refusal.kind} {refusal.name}: {refusal.message}")
        return drafts.Hold(reason=problem.reason, message=problem.message)
    return None


def watch(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """See the candidate's pods become Ready, or why they do not."""
    candidate = draft.status.candidate_revision
    if candidate is None or candidate.step not in {reasons.Step.Starting, reasons.Step.Testing}:
        return draft
    problem = next(iter(view.problems(candidate.name, since=candidate.since)), None)
    if problem is None:
        problem = thrashing.problem(view, draft, candidate.name)
        draft = _with_slow_start(view, draft, candidate.name, problem)
    if problem is not None and problem.about_model:
        draft, message = killing.noted(view, draft, candidate.name, problem)
        return promoting.with_rejected(
            view, draft, reason=problem.reason, cause=problem.cause, message=message
        )
    if view.spec.replicas == 0:
        # It begins again later, and so does its deadline
        return draft.with_step(reasons.Step.Validating, view.now).with_hold(_AT_ZERO)
    ready = view.ready_pods(candidate.name)
    if candidate.step is reasons.Step.Starting:
        if len(ready) >= view.spec.replicas:
            report = health.inspection_of(ready)
            digest = report.digest if report is not None else None
            return draft.with_step(reasons.Step.Testing, view.now, model_digest=digest)
        if problem is not None:
            draft = draft.with_hold(drafts.Hold(reason=problem.reason, message=problem.message))
        return draft.with_wake(_until_deadline(view, draft))
    if len(ready) < view.spec.replicas:
        reason = problem.reason if problem is not None else reasons.Reason.RevisionTesting
        message = (
            problem.message if problem is not None else f"{len(ready)} of {view.spec.replicas} pods are Ready"
        )
        draft = draft.with_hold(drafts.Hold(reason=reason, message=message))
    return draft.with_wake(_until_deadline(view, draft))


def _with_slow_start(
    view: views.View, draft: drafts.Draft, name: str, problem: health.Problem | None
) -> drafts.Draft:
    """Name memory pressure in time, with the limit to set."""
    left = thrashing.seconds_left(view, name)
    if left is not None:
        draft = draft.with_wake(left + 0.1)
    return thrashing.with_recommended(view, draft, name) if problem is not None else draft


def _until_deadline(view: views.View, draft: drafts.Draft) -> float:
    """Seconds until the step's deadline; a long time once it is past, as nothing happens by itself then."""
    candidate = draft.status.candidate_revision
    assert candidate is not None
    left = (deadline(view, draft) - view.now).total_seconds()
    return left + 0.1 if left > 0 else 60.0


def deadline(view: views.View, draft: drafts.Draft) -> datetime:
    """When the candidate's step is late; a bake has its own time, and is late so long after it."""
    candidate, active = draft.status.candidate_revision, draft.status.active_revision
    assert candidate is not None
    bakes = active is not None and active.name == candidate.name
    since = active.bake_until if bakes and active is not None else None
    return (since or candidate.since) + timedelta(seconds=view.spec.rollout.progress_deadline_seconds)
