import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.support import apiservers
from tests.support.manual_clock import ManualClock
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import podmetrics
from tfserving_operator.core import quantities


def item(pod: str, **containers: str) -> dict[str, Any]:
    usages = [{"name": name, "usage": {"cpu": "1", "memory": memory}} for name, memory in containers.items()]
    return {"metadata": {"name": pod}, "timestamp": "2026-01-01T00:00:00Z", "containers": usages}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], {}),
        (None, {}),
        ([item("a", server="100Mi")], {"a": 100 * quantities.MI}),
        ([item("a", server="123456Ki", other="9Gi")], {"a": 123456 * quantities.KI}),
        ([item("a", other="9Gi")], {}),
        ([item("a", server="1"), item("b", server="1500m")], {"a": 1, "b": 1}),
    ],
)
def test_a_list_tells_of_the_servers_container_by_pod(items: Any, expected: dict[str, int]) -> None:
    assert podmetrics.parse({"items": items}) == expected


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"items": 3},
        {"items": [{}]},
        {"items": [{"metadata": {"name": "a"}, "containers": None}]},
        {"items": [item("a", server="much")]},
        {"items": [item("a", server=7)]},  # type: ignore[arg-type]
        [],
    ],
)
def test_what_is_no_list_of_pod_metrics_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError):
        podmetrics.parse(answer)


@pytest.mark.cluster
async def test_a_cluster_without_the_api_is_asked_once_for_all_of_its_pods(api: Any) -> None:
    seen: list[int] = []

    class Observer:
        def request_done(self, *, method: str, resource: str, code: int, seconds: float) -> None:
            seen.append(code)

    clock = ManualClock()
    async with apiservers.connected(api.account, Observer()) as client:
        asked = podmetrics.PodMetrics(client=client, clock=clock)
        found = await asyncio.gather(*(asked.working_sets("default", f"digits-{n}") for n in range(50)))
        assert found == [{}] * 50
        assert seen == [404]
        clock.seconds += podmetrics.SILENT_SECONDS - 1
        await asked.working_sets("default", "digits-1")
        assert seen == [404]
        clock.seconds += 1
        await asked.working_sets("default", "digits-1")
    assert seen == [404, 404]


def answering(status: int, body: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(
    "answer",
    [
        answering(403, {"kind": "Status", "code": 403}),
        answering(503, {"kind": "Status", "code": 503}),
        answering(307, {}),
        answering(200, {"items": 3}),
        never,
    ],
    ids=["forbidden", "unavailable", "elsewhere", "nonsense", "silence"],
)
async def test_an_api_that_fails_holds_nobody_up_and_is_asked_once(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podmetrics, "TIMEOUT_SECONDS", 0.2)
    requests: list[str] = []

    async def counted(request: web.Request) -> web.StreamResponse:
        requests.append(request.path_qs)
        return await answer(request)

    async with (
        apiservers.faulty(counted) as account,
        apiservers.connected(account, metric.Metrics()) as client,
    ):
        asked = podmetrics.PodMetrics(client=client, clock=ManualClock())
        for _ in range(3):
            assert await asked.working_sets("vision", "digits-1") == {}
    assert requests == [
        "/apis/metrics.k8s.io/v1beta1/namespaces/vision/pods?labelSelector=tfserving.dev/revision%3Ddigits-1"
    ]


async def test_an_api_that_stays_away_is_asked_less_and_less_and_one_that_comes_back_as_before() -> None:
    clock, asked_at, codes = ManualClock(), list[float](), [503] * 5 + [200, 503]
    start = clock.seconds

    async def answer(_: web.Request) -> web.StreamResponse:
        asked_at.append(clock.seconds - start)
        return web.json_response({"items": []}, status=codes[len(asked_at) - 1])

    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        asked = podmetrics.PodMetrics(client=client, clock=clock)
        while len(asked_at) < len(codes):
            await asked.working_sets("vision", "digits-1")
            clock.seconds += 10
    assert asked_at == [0, 30, 150, 630, 1230, 1830, 1840]


async def test_what_is_answered_is_asked_for_again_and_again() -> None:
    answer = answering(200, {"kind": "PodMetricsList", "metadata": {}, "items": [item("a", server="7Mi")]})
    async with apiservers.faulty(answer) as account, apiservers.connected(account) as client:
        asked = podmetrics.PodMetrics(client=client, clock=ManualClock())
        for _ in range(3):
            assert await asked.working_sets("vision", "digits-1") == {"a": 7 * quantities.MI}
