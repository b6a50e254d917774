"""What stands beside the Service: a network policy before the first pod, a budget that follows the flip."""

from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions, companions, workloads
from tfserving_operator.core.rollout import drafts, views

_BUDGET = "PodDisruptionBudget"
_NETWORK = "NetworkPolicy"


def network(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Where the installation wants it, close the pods to all but its peers: before there are any."""
    rules, live = view.snap.policy.network, view.snap.network_policy
    candidate = draft.status.candidate_revision
    is_starting = candidate is not None and candidate.step is not reasons.Step.Validating
    in_use = is_starting or draft.status.active_revision is not None
    if rules is None or not in_use or view.is_refused(_NETWORK, view.snap.owner.name):
        return draft
    wanted = workloads.build_network_policy(owner=view.snap.owner, network=rules)
    if live is None:
        return draft.with_actions(actions.Create(manifest=wanted))
    return _put_right(draft, _NETWORK, live, companions.spec_patch(live, wanted), is_drift=True)


def budget(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Where the user wants it, bound what evictions may take of the active revision."""
    live, active, name = view.snap.budget, draft.status.active_revision, view.snap.owner.name
    if not view.snap.policy.disruption_budgets or view.is_refused(_BUDGET, name):
        return draft
    if view.violations and live is None:
        return draft
    if active is None or view.spec.disruption.max_unavailable is None:
        if live is None or live.meta.deleting:
            return draft
        return draft.with_actions(actions.Delete(kind=_BUDGET, name=name, uid=live.meta.uid))
    wanted = workloads.build_budget(owner=view.snap.owner, spec=view.spec, active_revision=active.name)
    if live is None:
        return draft.with_actions(actions.Create(manifest=wanted))
    was = view.snap.status.active_revision
    is_drift = not view.is_spec_new() and _name(was) == active.name
    return _put_right(draft, _BUDGET, live, companions.spec_patch(live, wanted), is_drift=is_drift)


def _name(revision: status.Revision | None) -> str:
    return revision.name if revision is not None else ""


def _put_right(
    draft: drafts.Draft,
    kind: str,
    live: companions.Companion,
    body: dict[str, object] | None,
    *,
    is_drift: bool,
) -> drafts.Draft:
    if body is None or live.meta.deleting:
        return draft
    name = live.meta.name
    draft = draft.with_actions(actions.Patch(kind=kind, name=name, uid=live.meta.uid, body=body))
    if not is_drift:
        return draft
    text = f"{kind} {name} was not as it should be and is put right"
    return draft.with_event(actions.EventType.Warning, reasons.Reason.DriftCorrected, text)
