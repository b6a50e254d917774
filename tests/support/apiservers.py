"""Clients for tests, and a server with the faults that a healthy API server does not show."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login


@asynccontextmanager
async def connected(
    account: login.Login, observer: kube.Observer | None = None
) -> AsyncIterator[kube.Client]:
    """A client, closed at the end."""
    client = kube.Client.connect(account, clock=clocks.SystemClock(), observer=observer or metric.Metrics())
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def faulty(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[login.Login]:
    """A server on loopback that answers as the test says: the faults that a healthy API server does not show."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield login.Login(server=f"http://127.0.0.1:{port}", token="secret")
    finally:
        await runner.cleanup()
