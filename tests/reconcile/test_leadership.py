import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime

import pytest
from aiohttp import web

from tests.support import apiservers, control_plane
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.reconcile import leadership

pytestmark = pytest.mark.cluster


TIMING = leadership.Timing(
    lease_seconds=1, write_seconds=0.6, renew_seconds=0.1, retry_seconds=0.05, request_seconds=0.3
)


class Place:
    def __init__(self, client: kube.Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def enter(self, identity: str) -> leadership.Leadership:
        return leadership.Leadership(
            client=self.client,
            namespace=self.namespace,
            identity=identity,
            clock=clocks.SystemClock(),
            timing=TIMING,
        )

    async def read(self) -> dict[str, object]:
        raw = await self.client.get(resources.LEASES, namespace=self.namespace, name=leadership.LEASE_NAME)
        spec: dict[str, object] = raw["spec"]
        return spec


@pytest.fixture
async def place(api: control_plane.ControlPlane) -> AsyncIterator[Place]:
    with api.fresh_namespace() as namespace:
        async with apiservers.connected(api.account) as client:
            yield Place(client, namespace)


async def test_the_first_gets_the_lease_and_may_write_only_then(place: Place) -> None:
    one = place.enter("one")
    with pytest.raises(errors.NotLeaderError):
        one.check()
    await one.acquire()
    one.check()
    spec = await place.read()
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("one", 1, 0)


async def test_the_second_waits_while_the_first_renews_and_follows_at_once_when_it_releases(
    place: Place,
) -> None:
    one, two = place.enter("one"), place.enter("two")
    await one.acquire()
    holding, waiting = asyncio.create_task(one.hold()), asyncio.create_task(two.acquire())
    await asyncio.sleep(1.5)
    assert not waiting.done()
    assert not two.is_held()
    one.check()
    holding.cancel()
    with suppress(asyncio.CancelledError):
        await holding
    await one.release()
    assert not one.is_held()
    async with asyncio.timeout(0.7):
        await waiting
    two.check()
    assert (await place.read())["leaseTransitions"] == 1


async def test_a_lease_that_is_no_longer_renewed_is_taken_after_its_duration(place: Place) -> None:
    one, two = place.enter("one"), place.enter("two")
    await one.acquire()
    started = asyncio.get_running_loop().time()
    async with asyncio.timeout(5):
        await two.acquire()
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert not one.is_held()
    with pytest.raises(errors.NotLeaderError):
        await one.hold()


async def test_the_same_identity_goes_on_at_once_after_a_crash(place: Place) -> None:
    await place.enter("pod-1").acquire()
    again = place.enter("pod-1")
    async with asyncio.timeout(0.5):
        await again.acquire()
    assert (await place.read())["leaseTransitions"] == 0


async def test_a_lease_that_was_taken_away_ends_the_holder(place: Place) -> None:
    one = place.enter("one")
    await one.acquire()
    raw = await place.client.get(resources.LEASES, namespace=place.namespace, name=leadership.LEASE_NAME)
    await place.client.replace(resources.LEASES, {**raw, "spec": {**raw["spec"], "holderIdentity": "two"}})
    async with asyncio.timeout(5):
        with pytest.raises(errors.NotLeaderError, match="two"):
            await one.hold()
    with pytest.raises(errors.NotLeaderError):
        one.check()


async def test_writing_ends_before_others_may_begin_when_the_api_is_away(place: Place) -> None:
    created: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if created:
            return web.json_response({}, status=503)
        if request.method == "GET":
            return web.json_response({}, status=404)
        created.append("lease")
        lease = await request.json()
        lease["metadata"]["resourceVersion"] = "1"
        return web.json_response(lease, status=201)

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        one = Place(client, "n").enter("one")
        started = asyncio.get_running_loop().time()
        await one.acquire()
        async with asyncio.timeout(5):
            with pytest.raises(errors.NotLeaderError):
                await one.hold()
        assert asyncio.get_running_loop().time() - started < 1.0  # LEASE_SECONDS


async def test_releasing_what_is_not_held_changes_nothing(place: Place) -> None:
    one, two = place.enter("one"), place.enter("two")
    await one.acquire()
    await two.release()
    assert (await place.read())["holderIdentity"] == "one"


def test_times_are_written_with_microseconds() -> None:
    assert leadership._micro_time(datetime(2026, 1, 2, 3, 4, 5, 6)) == "2026-01-02T03:04:05.000006Z"  # noqa: DTZ001
