import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from tests.support import apiservers
from tfserving_operator.adapters import errors
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources

CM = resources.CONFIG_MAPS


def make_config_map(namespace: str, name: str = "a", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "data": {"x": "1"},
    }


@pytest.mark.cluster
class TestRealServer:
    async def test_an_object_lives_through_create_get_patch_and_delete(self, place: Any) -> None:
        made = await place.client.create(CM, make_config_map(place.namespace))
        uid = made["metadata"]["uid"]
        patched = await place.client.patch(
            CM, namespace=place.namespace, name="a", uid=uid, body={"data": {"x": None, "y": "2"}}
        )
        assert patched["data"] == {"y": "2"}
        assert {m["manager"] for m in patched["metadata"]["managedFields"]} == {"tfserving-operator"}
        assert (await place.client.get(CM, namespace=place.namespace, name="a"))["data"] == {"y": "2"}
        answer = await place.client.delete(CM, namespace=place.namespace, name="a", uid=uid)
        assert answer["kind"] == "Status"
        with pytest.raises(errors.NotFoundError):
            await place.client.get(CM, namespace=place.namespace, name="a")

    async def test_a_taken_name_is_told_from_other_conflicts(self, place: Any) -> None:
        await place.client.create(CM, make_config_map(place.namespace))
        with pytest.raises(errors.AlreadyExistsError):
            await place.client.create(CM, make_config_map(place.namespace))

    async def test_a_namesake_is_neither_patched_nor_deleted(self, place: Any) -> None:
        first = await place.client.create(CM, make_config_map(place.namespace))
        uid = first["metadata"]["uid"]
        await place.client.delete(CM, namespace=place.namespace, name="a", uid=uid)
        second = await place.client.create(CM, make_config_map(place.namespace))
        with pytest.raises(errors.ConflictError):
            await place.client.patch(
                CM, namespace=place.namespace, name="a", uid=uid, body={"data": {"x": "2"}}
            )
        with pytest.raises(errors.ConflictError):
            await place.client.delete(CM, namespace=place.namespace, name="a", uid=uid)
        assert await place.client.get(CM, namespace=place.namespace, name="a") == second

    async def test_an_invalid_object_is_a_permanent_error_with_the_servers_words(self, place: Any) -> None:
        with pytest.raises(errors.PermanentError, match=r"metadata\.name") as caught:
            await place.client.create(CM, make_config_map(place.namespace, name="No Such Name"))
        assert caught.value.code == 422

    async def test_replacing_a_changed_object_is_a_conflict(self, place: Any) -> None:
        made = await place.client.create(CM, make_config_map(place.namespace))
        await place.client.replace(CM, {**made, "data": {"x": "2"}})
        with pytest.raises(errors.ConflictError):
            await place.client.replace(CM, {**made, "data": {"x": "3"}})

    async def test_lists_come_in_pages_and_as_metadata_alone(
        self, place: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kube, "LIST_PAGE", 2)
        for number in range(5):
            await place.client.create(
                CM, make_config_map(place.namespace, f"a{number}", labels={"of": "mine"})
            )
        stream = place.client.list_pages(
            CM, namespace=place.namespace, selector="of=mine", metadata_only=True
        )
        pages = [page async for page in stream]
        names = [[item["metadata"]["name"] for item in page.items] for page in pages]
        assert names == [["a0", "a1"], ["a2", "a3"], ["a4"]]
        assert not any("data" in item for page in pages for item in page.items)
        assert len({page.resource_version for page in pages}) == 1
        none = place.client.list_pages(CM, namespace=place.namespace, selector="of=none", metadata_only=True)
        assert [page.items async for page in none] == [[]]

    async def test_a_watch_tells_what_happened_since_the_list(self, place: Any) -> None:
        listing = await anext(place.client.list_pages(CM, namespace=place.namespace))
        made = await place.client.create(CM, make_config_map(place.namespace))
        uid = made["metadata"]["uid"]
        await place.client.patch(CM, namespace=place.namespace, name="a", uid=uid, body={"data": {"x": "2"}})
        await place.client.delete(CM, namespace=place.namespace, name="a", uid=uid)
        seen = []
        stream = place.client.watch(
            CM, namespace=place.namespace, resource_version=listing.resource_version, seconds=20
        )
        async with aclosing(stream) as events:
            async for event in events:
                if event.object["metadata"].get("name") == "a":
                    seen.append(event.type)
                if len(seen) == 3:
                    break
        assert seen == ["ADDED", "MODIFIED", "DELETED"]

    async def test_a_stale_status_patch_is_a_conflict(self, place: Any) -> None:
        deployment = await place.client.create(
            resources.DEPLOYMENTS,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "namespace": place.namespace},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {
                        "metadata": {"labels": {"a": "b"}},
                        "spec": {"containers": [{"name": "c", "image": "none"}]},
                    },
                },
            },
        )
        stale = str(int(deployment["metadata"]["resourceVersion"]) - 1)
        with pytest.raises(errors.ConflictError):
            await place.client.patch_status(
                resources.DEPLOYMENTS,
                namespace=place.namespace,
                name="d",
                resource_version=stale,
                status={"observedGeneration": 7},
            )


def status_answer(code: int, reason: str, message: str = "as the test says") -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code)


async def test_a_write_is_repeated_over_a_short_fault_and_the_guard_is_asked_each_time() -> None:
    seen, checks = [], []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.headers["Authorization"], request.headers["User-Agent"]))
        return (
            web.json_response({"kind": "ConfigMap"}) if len(seen) == 2 else status_answer(503, "Unavailable")
        )

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        guarded = client.with_guard(lambda: checks.append("asked"))
        assert await guarded.create(CM, make_config_map("n")) == {"kind": "ConfigMap"}
    assert [method for method, _, _ in seen] == ["POST", "POST"]
    assert seen[0][1] == "Bearer secret"
    assert seen[0][2].startswith("tfserving-operator/")
    assert checks == ["asked", "asked"] * 2  # at first, and when nothing but the socket is left to come


async def test_what_takes_its_time_before_the_body_is_let_out_only_if_we_may_still_write() -> None:
    seen, checks = [], []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.json_response({"kind": "ConfigMap"})

    def guard() -> None:
        checks.append("asked")
        if len(checks) > 1:
            raise errors.NotLeaderError("the Lease ended while we were connecting")

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        with pytest.raises(errors.NotLeaderError):
            await client.with_guard(guard).create(CM, make_config_map("n"))
        assert await client.create(CM, make_config_map("n")) == {"kind": "ConfigMap"}
    assert seen == ["POST"]  # the second one, which nobody guarded


async def test_a_fault_that_lasts_is_raised_after_a_few_attempts() -> None:
    seen = []

    async def answer(_: web.Request) -> web.Response:
        seen.append("request")
        return status_answer(500, "InternalError")

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        with pytest.raises(errors.TransientError, match="as the test says"):
            await client.get(CM, namespace="n", name="a")
    assert len(seen) == 3


async def test_a_guard_that_refuses_lets_no_write_out() -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.json_response({"metadata": {}})

    def refuse() -> None:
        raise errors.NotLeaderError("not ours")

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        guarded = client.with_guard(refuse)
        for write in (
            guarded.create(CM, make_config_map("n")),
            guarded.patch(CM, namespace="n", name="a", uid="u", body={}),
            guarded.delete(CM, namespace="n", name="a", uid="u"),
            guarded.patch_status(CM, namespace="n", name="a", resource_version="1", status={}),
        ):
            with pytest.raises(errors.NotLeaderError):
                await write
        await guarded.get(CM, namespace="n", name="a")
    assert seen == ["GET"]


async def test_a_redirect_is_not_followed() -> None:
    async def answer(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:9/elsewhere")

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        with pytest.raises(errors.ApiError):
            await client.get(CM, namespace="n", name="a")


async def test_no_server_is_a_transient_error_and_counted() -> None:
    metrics = metric.Metrics()

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async with apiservers.faulty(answer) as account:
        pass
    async with apiservers.connected(account, metrics) as client:
        with pytest.raises(errors.TransientError):
            await client.get(CM, namespace="n", name="a")
    text = (await metrics.render()).decode()
    assert 'tfserving_operator_api_requests_total{code="0",method="GET",resource="configmaps"} 3.0' in text


async def test_a_silent_watch_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "WATCH_SILENCE_SECONDS", 0.1)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        stream = client.watch(CM, resource_version="1", seconds=60)
        with pytest.raises(errors.TransientError):
            async with aclosing(stream) as events:
                await anext(events)
