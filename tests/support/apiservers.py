"""The throwaway cluster's API server for tests that speak to it in this process, and a faulty one for the rest."""

import asyncio
import ctypes
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

from local.cluster import api as clusters
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login

CLONE_NEWNET = 0x40000000


@contextmanager
def inside(netns: Path) -> Iterator[None]:
    """Open this thread's sockets in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    before, target = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(netns, os.O_RDONLY)
    try:
        _enter(libc, target)
        yield
    finally:
        _enter(libc, before)
        os.close(before)
        os.close(target)


def _enter(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def fresh_namespace(cluster: clusters.Cluster) -> Iterator[str]:
    """A namespace of its own for one test."""
    name = f"machinery-{uuid.uuid4().hex[:8]}"
    clusters.run(cluster, ["kubectl", "create", "namespace", name], capture_output=True)
    try:
        yield name
    finally:
        clusters.run(cluster, ["kubectl", "delete", "namespace", name, "--wait=false"], capture_output=True)


@asynccontextmanager
async def connected(
    account: login.Login, metrics: metric.Metrics | None = None
) -> AsyncIterator[kube.Client]:
    """A client, closed at the end."""
    client = kube.Client.connect(account, clock=clocks.SystemClock(), observer=metrics or metric.Metrics())
    try:
        yield client
    finally:
        await client.close()
        await asyncio.sleep(0)


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
