"""What a revision waits for is looked at again when it changes: quotas, what others use of them, limit ranges, nodes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tfserving_operator.api import reasons
from tfserving_operator.core import actions, rollout, snapshot
from tfserving_operator.reconcile import caches as stores
from tfserving_operator.reconcile import gather, queue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = queue.Key("vision", "resnet")
SPEC = {
    "model": {"uri": "pvc://models/resnet", "version": 1},
    "server": {"image": "tensorflow/serving:2.19.1"},
    "resources": {"limits": {"cpu": "2", "memory": "4Gi"}},
}


def _meta(name: str, version: int, namespace: str = "vision") -> dict[str, Any]:
    return {"name": name, "uid": f"uid-{name}", "namespace": namespace, "resourceVersion": str(version)}


class World:
    """Caches without an API server, and the decision about one ModelDeployment in them."""

    def __init__(self) -> None:
        self.woken: list[queue.Key] = []
        self.version = 0
        self.caches = stores.Caches(wake=lambda key, _: self.woken.append(key), on_gone=lambda _: None)
        claim = {"spec": {"accessModes": ["ReadOnlyMany"]}}
        self.apply(self.caches.claims, "models", **claim)
        self.status: dict[str, Any] = {"observedGeneration": -1}
        self.apply_object()

    def apply(self, store: Any, name: str, *, namespace: str = "vision", **raw: Any) -> None:
        """An object as it is now."""
        self.version += 1
        store.apply({"metadata": _meta(name, self.version, namespace), **raw})

    def apply_object(self) -> None:
        """The ModelDeployment with the status that was decided last."""
        self.version += 1
        meta = {**_meta("resnet", self.version), "generation": 1}
        self.caches.objects.apply({"metadata": meta, "spec": SPEC, "status": self.status})

    def decide(self) -> actions.Decision:
        """Decide, and keep the status."""
        entry = self.caches.objects.get(KEY)
        assert entry is not None
        policy = snapshot.Policy(inspect_image="x")
        snap = gather.gather(entry, self.caches, policy=policy, tests={}, refusals=(), peaks={})
        decision = rollout.decide(snap, NOW)
        self.status = decision.status.to_wire()
        self.apply_object()
        self.woken.clear()
        return decision

    def held_for(self) -> str:
        """Why nothing is started, "" when it is."""
        decision = self.decide()
        (valid,) = [c for c in decision.status.conditions if c.type is reasons.ConditionType.ResourcesValid]
        started = any(isinstance(a, actions.Create) for a in decision.actions)
        assert started != (valid.status == "False")
        return "" if started else str(valid.reason)


def _quota(hard: str, used: str) -> dict[str, Any]:
    amounts = {"hard": {"limits.memory": hard}, "used": {"limits.memory": used}}
    return {"spec": {"hard": amounts["hard"]}, "status": amounts}


def _node(memory: str) -> dict[str, Any]:
    return {"spec": {}, "status": {"allocatable": {"cpu": "8", "memory": memory}}}


def _range(memory: str) -> dict[str, Any]:
    return {"spec": {"limits": [{"type": "Container", "max": {"memory": memory}}]}}


CHANGES = {
    "a quota that is raised": ("quotas", _quota("4Gi", "1Gi"), _quota("5Gi", "1Gi"), "QuotaExceeded"),
    "another revision's pods that end": ("quotas", _quota("4Gi", "1Gi"), _quota("4Gi", "0"), "QuotaExceeded"),
    "a limit range that allows more": ("limit_ranges", _range("2Gi"), _range("4Gi"), "PodsRefused"),
    "a node that grows": ("nodes", _node("2Gi"), _node("8Gi"), "Unschedulable"),
}


@pytest.mark.parametrize("title", CHANGES)
def test_what_is_short_is_looked_at_again_when_it_changes(title: str) -> None:
    kind, before, after, reason = CHANGES[title]
    world = World()
    store, namespace = getattr(world.caches, kind), "" if kind == "nodes" else "vision"
    world.apply(store, "bound", namespace=namespace, **before)
    assert world.held_for() == reason
    assert world.held_for() == reason
    world.apply(store, "bound", namespace=namespace, **after)
    assert world.woken == [KEY]
    assert world.held_for() == ""


@pytest.mark.parametrize("title", CHANGES)
def test_what_goes_away_is_looked_at_again_too(title: str) -> None:
    kind, before, _, reason = CHANGES[title]
    world = World()
    store, namespace = getattr(world.caches, kind), "" if kind == "nodes" else "vision"
    world.apply(store, "bound", namespace=namespace, **before)
    assert world.held_for() == reason
    store.remove({"metadata": _meta("bound", world.version, namespace)})
    assert world.woken == [KEY]
    assert world.held_for() == ""


def test_a_node_that_joins_is_looked_at() -> None:
    world = World()
    world.apply(world.caches.nodes, "small", namespace="", **_node("2Gi"))
    assert world.held_for() == "Unschedulable"
    world.apply(world.caches.nodes, "large", namespace="", **_node("8Gi"))
    assert world.woken == [KEY]
    assert world.held_for() == ""


def test_the_bounds_of_another_namespace_wake_nobody() -> None:
    world = World()
    world.apply(world.caches.quotas, "team", **_quota("1Gi", "0"))
    assert world.held_for() == "QuotaExceeded"
    world.apply(world.caches.quotas, "team", namespace="other", **_quota("9Gi", "0"))
    assert world.woken == []


def test_once_it_has_started_bounds_wake_nobody_and_hold_nothing_up() -> None:
    world = World()
    assert world.held_for() == ""
    world.apply(world.caches.quotas, "team", **_quota("1Gi", "0"))
    assert world.woken == []
