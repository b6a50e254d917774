"""ModelDeployments in every phase, as today's decisions leave them: what GitOps tools judge."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.support import worlds
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import rollout

PASS, FAIL, INCONCLUSIVE = reasons.Verdict.Pass, reasons.Verdict.Fail, reasons.Verdict.Inconclusive


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One object, and what tools must make of it."""

    name: str
    made: dict[str, Any]
    kstatus: str
    argocd: str


def build_object(world: worlds.World, *, observed: bool = True) -> dict[str, Any]:
    """The object of a world, as the API server gives it out."""
    status = world.status.to_wire() if observed else {"observedGeneration": -1}
    return {
        "apiVersion": constants.API_VERSION,
        "kind": constants.KIND,
        "metadata": {
            "name": "digits",
            "namespace": "vision",
            "uid": "owner-uid",
            "generation": world.generation,
            "creationTimestamp": worlds.START.isoformat().replace("+00:00", "Z"),
        },
        "spec": world.raw_spec,
        "status": status,
    }


def _first(**there: Any) -> worlds.World:
    world = worlds.World(worlds.make_spec(1), **there)
    world.settle()
    return world


def _serving() -> worlds.World:
    world = _first()
    world.roll_out()
    return world


def _candidate(world: worlds.World) -> str:
    assert world.status.candidate_revision is not None
    return world.status.candidate_revision.name


def _testing(world: worlds.World) -> worlds.World:
    world.now += timedelta(seconds=5)
    world.become_ready(_candidate(world))
    return world


def _next(**changes: Any) -> worlds.World:
    world = _serving()
    world.apply(2, **changes)
    return world


def _rejected(world: worlds.World) -> worlds.World:
    _testing(world).answer(FAIL, "GoldenMismatch", "6 of 6 answers differ", cause="UnscaledInput")
    return world


def _baking(world: worlds.World) -> worlds.World:
    world.roll_out(bake=False)
    return world


def _retried() -> worlds.World:
    world = _rejected(_next())
    world.apply(2, rollout={"retryToken": "again"})
    return world


def _reverted() -> worlds.World:
    world = _rejected(_next())
    world.apply(1)
    return world


def _not_serving(seconds: float) -> worlds.World:
    world = _serving()
    assert world.status.active_revision is not None
    name = world.status.active_revision.name
    for number in range(3):
        world.after(10 + number)
        world.kill(name, reason="Error", exit_code=1)
    world.after(seconds)
    return world


def _late(world: worlds.World) -> worlds.World:
    world.after(301)
    return world


def _unreachable() -> worlds.World:
    world = _testing(_next())
    for _ in range(12):
        world.answer(None, "PodUnreachable", "no answer from 10.0.0.1:8501")
        world.after(61)
    return world


def _inconclusive() -> worlds.World:
    world = _testing(_next())
    world.answer(INCONCLUSIVE, "Inconclusive", "one case only")
    return world


def _failing_in_the_bake() -> worlds.World:
    world = _baking(_next())
    assert world.status.active_revision is not None
    world.kill(world.status.active_revision.name)
    return world


def _without_a_way_back() -> worlds.World:
    world = _baking(_first())
    assert world.status.active_revision is not None
    world.kill(world.status.active_revision.name)
    return world


def _unreadable() -> worlds.World:
    world = _serving()
    known = world.snapshot()
    world.generation += 1
    del world.raw_spec["model"]
    owner = replace(known.owner, generation=world.generation)
    unread = replace(known, spec=None, spec_error="spec.model: Field required", owner=owner)
    world.status = rollout.decide(unread, world.now).status
    return world


_MAKERS: Mapping[str, tuple[Callable[[], worlds.World], str, str]] = {
    "pending_claim_missing": (
        lambda: _first(claim=None),
        "InProgress",
        "Progressing",
    ),
    "starting_first": (_first, "InProgress", "Progressing"),
    "testing_first": (lambda: _testing(_first()), "InProgress", "Progressing"),
    "baking_first": (lambda: _baking(_first()), "InProgress", "Progressing"),
    "ready": (_serving, "Current", "Healthy"),
    "starting_beside_active": (_next, "InProgress", "Progressing"),
    "testing_beside_active": (lambda: _testing(_next()), "InProgress", "Progressing"),
    "baking_beside_previous": (lambda: _baking(_next()), "InProgress", "Progressing"),
    "retried": (_retried, "InProgress", "Progressing"),
    "reverted": (_reverted, "Current", "Healthy"),
    "rolledback_by_smoke_test": (lambda: _rejected(_next()), "Failed", "Degraded"),
    "rolledback_in_bake": (_failing_in_the_bake, "Failed", "Degraded"),
    "rejected_first": (lambda: _rejected(_first()), "Failed", "Degraded"),
    "stalled_invalid_resources": (
        lambda: _next(resources={"limits": {"memory": "500m"}}),
        "Failed",
        "Degraded",
    ),
    "stalled_unreadable": (_unreadable, "Failed", "Degraded"),
    "stalled_deadline": (lambda: _late(_next()), "Failed", "Degraded"),
    "stalled_unreachable": (_unreachable, "Failed", "Degraded"),
    "stalled_inconclusive": (_inconclusive, "Failed", "Degraded"),
    "stalled_no_healthy_revision": (_without_a_way_back, "Failed", "Degraded"),
    "notserving_for_a_moment": (lambda: _not_serving(1), "InProgress", "Progressing"),
    "stalled_not_serving": (lambda: _not_serving(301), "Failed", "Degraded"),
    "paused": (lambda: _next(rollout={"paused": True}), "InProgress", "Suspended"),
    "scaledtozero": (lambda: _next(replicas=0), "InProgress", "Suspended"),
}


def build_world(name: str) -> worlds.World:
    """The simulated cluster of a phase, to go on with."""
    return _MAKERS[name][0]()


def build() -> Iterator[Phase]:
    """Every phase once."""
    for name, (make, kstatus, argocd) in _MAKERS.items():
        yield Phase(name=name, made=build_object(make()), kstatus=kstatus, argocd=argocd)
    untouched = build_object(worlds.World(worlds.make_spec(1)), observed=False)
    yield Phase(name="untouched", made=untouched, kstatus="InProgress", argocd="Progressing")
    unseen = build_object(_serving())
    unseen["metadata"]["generation"] += 1
    unseen["spec"] = worlds.make_spec(2)
    yield Phase(name="generation_not_observed", made=unseen, kstatus="InProgress", argocd="Progressing")
    ends = build_object(_serving())
    ends["metadata"]["deletionTimestamp"] = "2026-01-01T01:00:00Z"
    yield Phase(name="deleting", made=ends, kstatus="Terminating", argocd="Progressing")
