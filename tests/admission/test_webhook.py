"""The webhook's life: away, and with a new certificate, while the API server goes on asking."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from tests.support import apiservers, control_plane, processes, specs, webhooks
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import crd
from tfserving_operator.handlers import webhook
from tfserving_operator.reconcile import certificates

pytestmark = pytest.mark.cluster

GOOD = specs.make_raw()
BAD = specs.make_raw(server={"flags": {"enable_bathing": "true"}})
_UNANSWERED = 500
"""What the API server says when the webhook does not answer it."""
LIFETIME_SECONDS = 24.0
SETTLE_SECONDS = 3.0
NAME = "tfserving-operator-webhook"


@pytest.fixture(scope="module", autouse=True)
def prepared(api: control_plane.ControlPlane) -> None:
    """Namespaces, the definition, and objects to be changed."""
    webhooks.make_namespaces(api)
    webhooks.apply_crd(api, crd.build_crd())
    processes.wait_for(lambda: webhooks.ask(api, "GET", webhooks.path(webhooks.TEAM)).code == 200)


def _create(api: control_plane.ControlPlane, spec: dict[str, Any], namespace: str = webhooks.TEAM) -> int:
    where = f"{webhooks.path(namespace)}?dryRun=All"
    answer = webhooks.ask(api, "POST", where, webhooks.manifest("x", spec))
    if answer.code == _UNANSWERED:
        print(answer.message)  # for whoever reads a failure
    return answer.code


@pytest.fixture
def stored(api: control_plane.ControlPlane) -> Callable[[str], str]:
    """Makes an object of a name while nobody is asked; the result is its path."""

    def make(name: str) -> str:
        configuration = resources.VALIDATING_WEBHOOKS.path(namespace="", name=NAME)
        webhooks.ask(api, "DELETE", configuration)
        body = webhooks.manifest(name, GOOD)
        processes.wait_for(
            lambda: webhooks.ask(api, "POST", webhooks.path(webhooks.TEAM), body).code in (201, 409)
        )
        return webhooks.path(webhooks.TEAM, name)

    return make


def _waits_for_the_webhook(api: control_plane.ControlPlane) -> None:
    """Wait until the API server knows of a configuration that fails."""
    processes.wait_for(lambda: _create(api, GOOD) == 500)


def test_an_absent_webhook_that_may_fail_holds_nothing_up(api: control_plane.ControlPlane) -> None:
    (port,) = control_plane.free_ports(1)
    webhooks.install(api, port, failure_policy="Fail")
    _waits_for_the_webhook(api)
    webhooks.install(api, port, failure_policy="Ignore")
    processes.wait_for(lambda: _create(api, GOOD) == 201)
    # What the definition cannot state goes through, and reconcile finds it
    assert _create(api, BAD) == 201
    wrong = specs.make_raw(resources={"limits": {"memory": "500m"}})
    assert _create(api, wrong) == 422


def test_an_absent_webhook_that_must_answer_holds_up_new_specs_and_nothing_else(
    api: control_plane.ControlPlane, stored: Callable[[str], str]
) -> None:
    where = stored("kept")
    (port,) = control_plane.free_ports(1)
    webhooks.install(api, port, failure_policy="Fail")
    _waits_for_the_webhook(api)

    def change(body: Any, part: str = "") -> int:
        return webhooks.ask(api, "PATCH", where + part, body, patch=True).code

    assert change({"spec": {"model": {"version": 8}}}) == 500
    assert change({"metadata": {"labels": {"a": "b"}}}) == 200
    assert change({"metadata": {"finalizers": ["example.org/kept"]}}) == 200
    assert change({"status": {"phase": "Pending"}}, "/status") == 200
    assert change({"spec": {"replicas": 3}}, "/scale") == 200
    assert webhooks.ask(api, "DELETE", where).code == 200
    assert change({"metadata": {"finalizers": []}}) == 200
    assert webhooks.ask(api, "GET", where).code == 404
    # Neither the operator's own namespace nor the cluster's are asked about
    assert _create(api, BAD, webhooks.SYSTEM) == 201
    assert _create(api, BAD, "kube-system") == 201


async def _close(_: web.Request, response: web.StreamResponse) -> None:
    """Keep no connection, so that each request shakes hands anew."""
    response.headers["Connection"] = "close"
    response.force_close()


@asynccontextmanager
async def _serving(api: control_plane.ControlPlane) -> AsyncIterator[certificates.Keeper]:
    """The webhook, with certificates that live for seconds."""
    (port,) = control_plane.free_ports(1)
    name = webhooks.install(api, port)
    context = webhook.build_context()
    async with apiservers.connected(api.account) as client:
        keeper = certificates.Keeper(
            client=client,
            clock=clocks.SystemClock(),
            context=context,
            place=certificates.Place(
                namespace=webhooks.SYSTEM, secret="hook-tls", configuration=name, names=("127.0.0.1",)
            ),
            pace=certificates.Pace(
                lifetime=timedelta(seconds=LIFETIME_SECONDS), check_seconds=0.2, settle_seconds=SETTLE_SECONDS
            ),
        )
        app = webhook.build_app(specs.POLICY)
        app.on_response_prepare.append(_close)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await keeper.ensure()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        keeping = asyncio.create_task(keeper.run())
        try:
            yield keeper
        finally:
            keeping.cancel()
            await runner.cleanup()


async def test_a_certificate_is_renewed_while_requests_go_on_and_none_is_lost(
    api: control_plane.ControlPlane,
) -> None:
    async with _serving(api) as keeper:
        await asyncio.to_thread(processes.wait_for, lambda: _create(api, BAD) == 422)
        first = keeper._loaded
        answers: list[int] = []
        end = time.monotonic() + 3 * LIFETIME_SECONDS
        while keeper._loaded == first or not answers or time.monotonic() < end:
            answers.append(await asyncio.to_thread(_create, api, GOOD))
            if keeper._loaded != first:
                end = min(end, time.monotonic() + 1.0)
            assert time.monotonic() < end + LIFETIME_SECONDS, "it was not renewed"
        second = keeper._loaded
    print(f"{len(answers)} requests over a renewal, {answers.count(201)} answered")
    assert set(answers) == {201}
    assert first is not None
    assert second is not None
    # A replica that has not loaded the new one yet is vouched for by the authority before
    assert second.previous == first.authority
    found = webhooks.ask(api, "GET", resources.VALIDATING_WEBHOOKS.path(namespace="", name=NAME))
    (hook,) = found.body["webhooks"]
    assert base64.b64decode(hook["clientConfig"]["caBundle"]) == second.authority + first.authority
