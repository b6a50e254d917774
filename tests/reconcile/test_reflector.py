import asyncio
import json
import random
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from tests.support import apiservers
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import resources
from tfserving_operator.reconcile import queue, reflector, stores


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BACKOFF_BASE_SECONDS", 0.01)


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def apply(self, raw: stores.Raw) -> None:
        self.lines.append(f"apply {raw['metadata']['name']}")

    def remove(self, raw: stores.Raw) -> None:
        self.lines.append(f"remove {raw['metadata']['name']}")

    def prune(self, uids: AbstractSet[str], *, resource_version: str, namespace: str) -> None:
        self.lines.append(f"only {sorted(uids)} at {resource_version}")


def make_object(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


class Script:
    """Answers of an API server, one after the other; the last watch stays open."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        self.asked.append(f"watch {query['resourceVersion']}" if "watch" in query else "list")
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return web.json_response({"kind": "Status", "code": answer, "message": "no"}, status=answer)
        if isinstance(answer, dict):
            return web.json_response(answer)
        response = web.StreamResponse()
        await response.prepare(request)
        for event in answer:
            await response.write((json.dumps(event) + "\n").encode())
        if not self.answers:
            await asyncio.sleep(30)
        return response


def listing(version: int, *names: str) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}, "items": [make_object(name, 1) for name in names]}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": make_object(name, version)}


@asynccontextmanager
async def reflecting(script: Script) -> AsyncIterator[Told]:
    told = Told()
    async with apiservers.faulty(script.answer) as account, apiservers.connected(account) as client:
        made = reflector.Reflector(
            client=client,
            resource=resources.PODS,
            sink=told,
            clock=clocks.SystemClock(),
            chance=random.Random(1),
            observer=metric.Metrics(),
        )
        task = asyncio.create_task(made.run())
        try:
            yield told
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(told: Told, line: str, times: int = 1) -> None:
    async with asyncio.timeout(10):
        while told.lines.count(line) < times:  # noqa: ASYNC110 - it is told by a plain method
            await asyncio.sleep(0.01)


async def test_a_watch_that_ends_goes_on_from_where_it_was() -> None:
    script = Script(
        listing(10, "a"),
        [event("ADDED", "b", 11), event("BOOKMARK", "", 15)],
        [event("DELETED", "a", 16)],
        [event("MODIFIED", "b", 17)],
    )
    async with reflecting(script) as told:
        await until(told, "apply b")
        await until(told, "remove a")
        await until(told, "apply b", times=2)
    assert script.asked == ["list", "watch 10", "watch 15", "watch 16"]
    assert told.lines == ["apply a", "only ['a'] at 10", "apply b", "remove a", "apply b"]


async def test_a_watch_that_is_too_old_is_begun_with_a_list() -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}}
    script = Script(
        listing(10, "a"), [gone], listing(20, "b"), 410, listing(30, "c"), [event("ADDED", "d", 31)]
    )
    async with reflecting(script) as told:
        await until(told, "apply d")
    assert script.asked == ["list", "watch 10", "list", "watch 20", "list", "watch 30"]


async def test_faults_are_outlived() -> None:
    script = Script(403, 403, listing(10), 403, 500, [event("ADDED", "a", 11)], [event("ADDED", "b", 12)])
    async with reflecting(script) as told:
        await until(told, "apply b")
    assert script.asked == ["list"] * 3 + ["watch 10"] * 3 + ["watch 11"]


async def test_a_list_that_is_old_is_taken_again_though_the_watch_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reflector, "RELIST_SECONDS", 0.2)
    open_watch: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response(listing(10 + len(open_watch)))
        open_watch.append(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    told = Told()
    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        made = reflector.Reflector(
            client=client,
            resource=resources.PODS,
            sink=told,
            clock=clocks.SystemClock(),
            chance=random.Random(1),
            observer=metric.Metrics(),
        )
        task = asyncio.create_task(made.run())
        await until(told, "only [] at 12")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
