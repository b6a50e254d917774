"""The rollout: one pure decision over one snapshot.

`decide` runs an ordered chain of policies. Each reads the view of the snapshot and the draft that the ones
before it left, and returns the next draft; the last ones make the cluster follow the status, and `reporting`
writes the conditions. Nothing here waits, reads a clock, or talks to anything.
"""

from datetime import datetime

from tfserving_operator.core import actions, snapshot
from tfserving_operator.core.rollout import (
    accompanying,
    baking,
    converging,
    drafts,
    going_back,
    repeating,
    reporting,
    selecting,
    sizing,
    starting,
    testing,
    views,
)

CHAIN = (
    selecting.adopt,
    selecting.select,
    baking.watch,
    starting.start,
    accompanying.network,
    starting.ensure_objects,
    starting.watch,
    testing.test,
    baking.finish,
    going_back.record_kills,
    going_back.step_back,
    repeating.cases_changed,
    repeating.new_pods,
    repeating.repeat,
    converging.service,
    accompanying.budget,
    converging.replicas,
    converging.history,
    sizing.tell,
)
"""In this order: an earlier policy's transition is what a later one sees."""


def decide(snap: snapshot.Snapshot, now: datetime) -> actions.Decision:
    """What to do about one ModelDeployment.

    Parameters
    ----------
    snap
        All that was gathered about it.
    now
        The time, with a zone.

    Returns
    -------
    actions.Decision
        To be carried out in its order: actions, the status if it differs, Events, and a look later.
    """
    draft = drafts.Draft(status=snap.status)
    if snap.spec is None:
        return reporting.unreadable(snap, draft, now)
    view = views.build(snap, snap.spec, now)
    for policy in CHAIN:
        draft = policy(view, draft)
    return reporting.finish(view, draft)
