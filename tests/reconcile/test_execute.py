"""What happens between a decision and its writes: other hands, deletions, and requests that collide."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.support import smoketests, workshop
from tests.support.workshop import Workshop
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.core import actions, snapshot

pytestmark = pytest.mark.cluster


def create(snap: snapshot.Snapshot, **spec: Any) -> actions.Create:
    return actions.Create(manifest=workshop.make_service(snap, **spec))


def with_candidate(snap: snapshot.Snapshot, revision: str = "digits-1") -> Any:
    candidate = {"name": revision, "version": 1, "step": "Testing", "since": "2026-01-01T00:00:00Z"}
    return snap.status.model_validate({**snap.status.to_wire(), "candidateRevision": candidate})


async def test_an_object_that_others_change_at_the_same_time_is_patched_again_and_stays_known(
    shop: Workshop,
) -> None:
    tried: list[Any] = []

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if snap.service is None:
            return actions.Decision(status=snap.status, actions=(create(snap),))
        if dict(snap.service.selector) == {"c": "d"}:
            return actions.Decision(status=snap.status)
        # The API server words a lost race like this one: 409, and the object is as alive as before.
        stale = {} if tried else {"metadata": {"resourceVersion": "1"}}
        tried.append(stale)
        meta = snap.service.meta
        body = {**stale, "spec": {"selector": {"a": None, "c": "d"}}}
        patch = actions.Patch(kind="Service", name=meta.name, uid=meta.uid, body=body)
        return actions.Decision(status=snap.status, actions=(patch,))

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: len(tried) == 2)
    await shop.settled()
    assert shop.read(resources.SERVICES, "digits")["spec"]["selector"] == {"c": "d"}
    assert shop.last.service is not None
    assert shop.sent["POST", "services"] == 1
    assert shop.sent["PATCH", "services"] == 2


async def test_a_namesake_of_what_is_patched_is_left_alone_and_not_taken_for_ours(shop: Workshop) -> None:
    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if snap.service is None:
            return actions.Decision(status=snap.status, actions=() if snap.refusals else (create(snap),))
        uid = "00000000-0000-4000-8000-000000000000"  # ours, as if another one had taken its place
        patch = actions.Patch(kind="Service", name="digits", uid=uid, body={"spec": {"selector": {"c": "d"}}})
        return actions.Decision(status=snap.status, actions=(patch,))

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: shop.sent["PATCH", "services"])
    await asyncio.sleep(0.5)
    assert shop.read(resources.SERVICES, "digits")["spec"]["selector"] == {"a": "b"}


async def test_a_creation_that_collides_with_others_is_no_refusal(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = kube.Client.create
    collisions: list[str] = []

    async def collide(client: kube.Client, resource: resources.Resource, manifest: kube.Raw) -> kube.Raw:
        if not collisions:
            text = "Operation cannot be fulfilled on resourcequotas: the object has been modified"
            collisions.append(text)
            raise errors.ConflictError(text, code=409, reason="Conflict")
        return await original(client, resource, manifest)

    monkeypatch.setattr(kube.Client, "create", collide)
    shop.decide = lambda snap: actions.Decision(
        status=snap.status, actions=() if snap.service else (create(snap),)
    )
    shop.create_model()
    await shop.until(lambda: shop.snapshots and shop.last.service)
    assert not any(snap.refusals for snap in shop.snapshots)


@pytest.mark.parametrize("kind", ["ClusterIP", "Nonsense"])
async def test_nothing_is_begun_nor_remembered_for_an_object_that_went_away_in_between(
    shop: Workshop, kind: str
) -> None:
    started: list[str] = []

    async def run(request: Any, found: Any) -> Any:
        started.append(request.key)
        await asyncio.sleep(60)

    def vanish() -> None:  # called as the Service is about to be sent
        shop.machine.known.objects.remove(raw)

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        test = actions.StartTest(request=smoketests.request(namespace=snap.owner.namespace))
        status = with_candidate(snap)
        return actions.Decision(status=status, actions=(create(snap, type=kind), test))

    shop.guard, shop.test, shop.decide = vanish, run, decide
    raw = shop.create_model()
    await shop.until(lambda: shop.sent["POST", "services"])
    await shop.settled()
    assert started == []
    assert len(shop.machine._tests) == 0
    assert shop.machine._refused._by_uid == {}
    assert shop.sent["PATCH", "modeldeployments"] == 0


async def told(shop: Workshop, revision: str) -> None:
    """Wait for the status: a change before it would overtake the decision, and end no other revision's test."""

    def candidate() -> Any:
        return (shop.read_model().get("status") or {}).get("candidateRevision") or {}

    await shop.until(lambda: candidate().get("name") == revision)


async def test_a_test_that_was_ended_is_begun_again_when_it_is_wanted_again(shop: Workshop) -> None:
    started: list[str] = []
    wanted = ["digits-1"]

    async def run(request: Any, found: Any) -> Any:
        started.append(request.revision)
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(10):  # connections take their time to close, whatever else comes
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.1)

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        request = smoketests.request(key=wanted[0], revision=wanted[0], namespace=snap.owner.namespace)
        status = with_candidate(snap, wanted[0])
        return actions.Decision(status=status, actions=(actions.StartTest(request=request),))

    shop.test, shop.decide = run, decide
    shop.create_model()
    await shop.until(lambda: started == ["digits-1"])
    await told(shop, "digits-1")
    wanted[0] = "digits-2"
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: started == ["digits-1", "digits-2"])
    await told(shop, "digits-2")
    wanted[0] = "digits-1"
    shop.patch_model({"spec": {"replicas": 3}})
    await shop.until(lambda: started == ["digits-1", "digits-2", "digits-1"])
