"""The cluster follows the status: selector, replicas, history. Manual drift is put right."""

from tfserving_operator.api import constants, reasons, status, types
from tfserving_operator.core import actions, observed, workloads
from tfserving_operator.core.rollout import drafts, views


def service(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Point the Service at the active revision."""
    before, active = view.snap.service, draft.status.active_revision
    if before is None:
        return draft
    spec = view.spec
    if view.violations or view.is_refused("Service", before.meta.name):
        # What serves keeps its form; only the selector is ours to move
        spec = spec.model_copy(update={"service": _live_form(before)})
    name = active.name if active is not None else None
    body = workloads.service_patch(before, owner=view.snap.owner, spec=spec, active_revision=name)
    if body is None:
        return draft
    flips = view.service_names() != (name or workloads.NO_REVISION)
    draft = draft.with_actions(
        actions.Patch(kind="Service", name=before.meta.name, uid=before.meta.uid, body=body)
    )
    if flips or view.is_spec_new():
        return draft
    text = f"Service {before.meta.name} was changed by hand and is put right: it selects {name or 'nothing'}"
    return draft.with_event(actions.EventType.Warning, reasons.Reason.DriftCorrected, text)


def _live_form(service: observed.Service) -> types.Service:
    """The Service's type and the user's annotations as they are."""
    annotations = dict(service.annotations)
    keys = annotations.get(constants.ANNOTATION_USER_ANNOTATIONS, "").split(",")
    kind = types.ServiceType(service.type) if service.type in set(types.ServiceType) else types.Service().type
    kept = {key: annotations[key] for key in keys if key in annotations}
    return types.Service.model_construct(type=kind, annotations=kept)


def replicas(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Scale each revision to what its role asks for.

    A revision loses its pods only when the status that was *read* says so already: what its pods tell of
    a failure must be written down first.
    """
    was, is_now = _replicas(view, view.snap.status), _replicas(view, draft.status)
    for name, deployment in sorted(view.snap.deployments.items()):
        wanted = is_now.get(name, 0)
        if deployment.meta.deleting or deployment.replicas == wanted or view.is_refused("Deployment", name):
            continue
        if wanted < deployment.replicas and was.get(name, 0) > wanted:
            draft = draft.with_wake(0.0)
            continue
        draft = draft.with_actions(_scaled(deployment, wanted))
        if was.get(name, 0) == wanted > 0 and not view.is_spec_new():
            text = f"Deployment {name} asked for {deployment.replicas} replicas and is put right: {wanted}"
            draft = draft.with_event(actions.EventType.Warning, reasons.Reason.DriftCorrected, text)
    return draft


def _scaled(deployment: observed.Deployment, wanted: int) -> actions.Patch:
    body = {"spec": {"replicas": wanted}}
    return actions.Patch(kind="Deployment", name=deployment.meta.name, uid=deployment.meta.uid, body=body)


def _replicas(view: views.View, state: status.Status) -> dict[str, int]:
    """Replicas by revision; those that are not here get none."""
    active, candidate, previous = state.active_revision, state.candidate_revision, state.previous_revision
    wanted: dict[str, int] = {}
    if active is not None:
        wanted[active.name] = view.spec.replicas
    if candidate is not None and candidate.step is not reasons.Step.Validating:
        wanted[candidate.name] = view.spec.replicas
    if previous is not None and active is not None and active.bake_until is not None:
        wanted[previous.name] = view.spec.replicas
    return wanted


def history(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Delete the oldest idle revisions beyond `rollout.revisionHistoryLimit`, with their ConfigMaps."""
    active, candidate, previous = (
        draft.status.active_revision,
        draft.status.candidate_revision,
        draft.status.previous_revision,
    )
    needed = {view.wanted, *(r.name for r in (active, candidate) if r is not None)}
    idle = [d for name, d in view.snap.deployments.items() if name not in needed and d.replicas == 0]
    newest = sorted(idle, key=lambda d: (d.created_at or view.now, d.meta.name), reverse=True)
    for deployment in newest[view.spec.rollout.revision_history_limit :]:
        if previous is not None and previous.name == deployment.meta.name:
            continue
        config_maps = (deployment.meta.name, workloads.pin_name(deployment.meta.name))
        gone = [view.snap.config_maps[name] for name in config_maps if name in view.snap.config_maps]
        # The Deployment last: after a crash in between, the rest is found by it
        for kind, meta in (*(("ConfigMap", c.meta) for c in gone), ("Deployment", deployment.meta)):
            if not meta.deleting and not view.is_refused(kind, meta.name):
                draft = draft.with_actions(actions.Delete(kind=kind, name=meta.name, uid=meta.uid))
    return draft
