"""The operator's life: log in, become the leader, work, and stop in order."""

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import kopf
import structlog
from aiohttp import web

from tfserving_operator import config as configuration
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors, serving
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login
from tfserving_operator.core import policies, rollout
from tfserving_operator.handlers import probes, registry, settings, webhook
from tfserving_operator.reconcile import leadership, machine

STANDBY_SECONDS: Final = 60.0
"""A process that waits for the Lease asks for it every 2 s: one that has not for this long hangs."""

_log = structlog.stdlib.get_logger(__name__)


async def operate(config: configuration.Config, account: login.Login) -> int:
    """Run the operator until it is told to stop or cannot go on; the result is the process's exit code."""
    stop = asyncio.Event()
    registry.handle_signals(stop)
    clock, metrics, identity = clocks.SystemClock(), metric.Metrics(), configuration.identity()
    async with AsyncExitStack() as stack:
        client = kube.Client.connect(account, clock=clock, observer=metrics)
        stack.push_async_callback(client.close)
        leader = leadership.Leadership(
            client=client,
            namespace=config.pod_namespace or account.namespace,
            identity=identity,
            clock=clock,
            timing=leadership.Timing.of(config.lease_seconds),
        )
        session = await stack.enter_async_context(serving.open_session())
        shop = await stack.enter_async_context(serving.open_workers())
        parts = machine.Machine(
            client=client.with_guard(leader.check) if config.leader_election else client,
            decide=rollout.decide,
            run_test=partial(serving.run_test, session, clock=clock.now, shop=shop),
            policy=policies.build_policy(config),
            clock=clock,
            metrics=metrics,
            instance=identity,
            namespaces=config.watch_namespaces,
            pod_metrics=config.pod_metrics,
        )
        life = _Life(config=config, account=account, clock=clock, leader=leader, parts=parts, stop=stop)
        if config.http_port:
            app = probes.build_app(ailments=life.ailments, is_ready=life.is_ready, metrics=metrics)
            await _serve(stack, app, host=config.http_host, port=config.http_port)
        if config.webhook_port:
            context = webhook.build_context()
            life.certificate = webhook.build_certificate(config, client=client, clock=clock, context=context)
            checks = webhook.build_app(policies.build_policy(config))
            await _serve(stack, checks, host=config.http_host, port=config.webhook_port, context=context)
        return await life.live()


@dataclass(kw_only=True, slots=True)
class _Life:
    """One process, from standing by to stopping."""

    config: configuration.Config
    account: login.Login
    clock: clocks.Clock
    leader: leadership.Leadership
    parts: machine.Machine
    stop: asyncio.Event
    certificate: webhook.Certificate | None = None
    """Of the webhook, which stand-bys serve too."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    """What must go on for ever: when one of them ends, all do."""
    helpers: list[asyncio.Task[None]] = field(default_factory=list)
    """What goes on whether we lead or not, likewise."""

    def ailments(self) -> dict[str, float]:
        """What the liveness probe fails for."""
        if self.tasks:
            return self.parts.ailments()
        idle = self.leader.idle_seconds()
        return {"standby": idle} if idle > STANDBY_SECONDS else {}

    def is_ready(self) -> bool:
        """Whether we work, or stand by for one that does."""
        if self.certificate is not None and not self.certificate.is_ready:
            return False
        return self.parts.is_synced if self.tasks else self.config.leader_election

    async def live(self) -> int:
        """Stand by, lead, work, stop."""
        try:
            if self.certificate is not None:
                self.helpers.append(asyncio.create_task(self.certificate.run(), name="webhook certificate"))
            if self.config.leader_election:
                await self._until_done(self.leader.acquire())
                self._begin(self.leader.hold(), "leadership")
            self._begin(self.parts.run(), "machine")
            await self._until_done(self.parts.wait_synced())
            self._begin(self._watch(), "kopf")
            await self._until_done(asyncio.Event().wait())
        except _StoppedError:
            pass
        finally:
            was_asked = self.stop.is_set()
            await self._end()
        failed = _log_failures([*self.tasks, *self.helpers])
        return 0 if was_asked and not failed else 1

    async def _watch(self) -> None:
        """The events of ModelDeployments, by kopf."""
        tokens = login.TokenSource(self.account, self.clock)
        handlers = registry.build_registry(
            account=self.account, tokens=tokens, known=self.parts.known.objects
        )
        ours = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=handlers,
            settings=settings.build_settings(),
            stop_flag=self.stop,
            clusterwide=not self.config.watch_namespaces,
            namespaces=self.config.watch_namespaces,
        )
        # kopf has taken the signals; they are to stop it and everything else, in order.
        registry.handle_signals(self.stop)
        await kopf.run_tasks(tasks, ignored=ours)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    async def _until_done(self, wanted: Coroutine[Any, Any, object]) -> None:
        """Wait for something, unless we are told to stop or one of our parts ends."""
        waiting, stopping = asyncio.create_task(wanted), asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait(
                [waiting, stopping, *self.tasks, *self.helpers], return_when=asyncio.FIRST_COMPLETED
            )
            if not waiting.done():
                raise _StoppedError
            waiting.result()
        finally:
            waiting.cancel()
            stopping.cancel()

    async def _end(self) -> None:
        self.stop.set()
        await self.parts.drain()
        ours = [*self.helpers, *(task for task in self.tasks if task.get_name() != "kopf")]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        await self.parts.close()
        # kopf stops by the flag, would complain of being cancelled, and waits for what it takes for its own tasks.
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.config.leader_election:
            await self.leader.release()


class _StoppedError(Exception):
    """There is no point in waiting any longer."""


def _log_failures(tasks: Sequence[asyncio.Task[None]]) -> bool:
    """Whether a part has failed; the log says which, and why."""
    failed = False
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            is_expected = isinstance(error, errors.AdapterError)
            _log.error(
                "cannot go on",
                part=task.get_name(),
                error=str(error),
                exc_info=None if is_expected else error,
            )
            failed = True
    return failed


async def _serve(
    stack: AsyncExitStack,
    app: web.Application,
    *,
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
) -> None:
    pages = web.AppRunner(app, access_log=None)
    await pages.setup()
    stack.push_async_callback(pages.cleanup)
    await web.TCPSite(pages, host or None, port, ssl_context=context).start()
