"""Puts the parts together: caches, queue, tests, executor, workers, and what keeps them going."""

import asyncio
import contextlib
import random
from typing import Final, NoReturn

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import podmetrics
from tfserving_operator.core import snapshot
from tfserving_operator.reconcile import (
    caches,
    casebook,
    execute,
    gather,
    measuring,
    objects,
    queue,
    reconciler,
    refusals,
    showing,
    testing,
)

STUCK_SECONDS: Final = 180.0
"""Longer than any one reconciliation: it sends a handful of requests of at most 30 s."""
SILENT_SECONDS: Final = 300.0
"""A watch reconnects after 90 s of silence; the API server may be away for a while."""
STOP_SECONDS: Final = 5.0

_log = structlog.stdlib.get_logger(__name__)


class Machine:
    """Everything between the ModelDeployments' events and the writes that they lead to.

    Attributes
    ----------
    known
        The caches; events of ModelDeployments go to ``known.objects``.
    """

    def __init__(
        self,
        *,
        client: kube.Client,
        decide: reconciler.Decide,
        run_test: testing.Run,
        policy: snapshot.Policy,
        clock: clocks.Clock,
        metrics: metric.Metrics,
        instance: str,
        namespaces: tuple[str, ...] = (),
        pod_metrics: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        chance = chance if chance is not None else random.Random()  # noqa: S311 - jitter
        self._clock = clock
        self._work = queue.WorkQueue(clock=clock, chance=chance)
        self.known = caches.Caches(wake=self._work.add, on_gone=self._on_gone)
        self._refused = refusals.Refusals(clock)
        cases_of = casebook.Casebook(client=client, pinned=self.known.config_maps.get)
        self._tests = testing.Tests(
            run=run_test, cases_of=cases_of, wake=self._on_test_end, clock=clock, observer=metrics
        )
        self._measured = measuring.Measurements(
            ask=podmetrics.PodMetrics(client=client, clock=clock).working_sets if pod_metrics else None,
            pods=lambda entry, revision: gather.pod_names(entry, self.known, revision),
            wake=lambda entry: self._work.add(entry.key),
        )
        self._reconciler = self._build_reconciler(
            client=client, decide=decide, policy=policy, metrics=metrics, instance=instance
        )
        self._reflectors = caches.build_reflectors(
            self.known,
            client=client,
            clock=clock,
            chance=chance,
            observer=metrics,
            namespaces=namespaces,
            policy=policy,
        )
        self._is_running = False
        self._show(metrics)

    def _build_reconciler(
        self,
        *,
        client: kube.Client,
        decide: reconciler.Decide,
        policy: snapshot.Policy,
        metrics: metric.Metrics,
        instance: str,
    ) -> reconciler.Reconciler:
        executor = execute.Executor(
            client=client,
            known=self.known,
            refused=self._refused,
            tests=self._tests,
            clock=self._clock,
            instance=instance,
        )
        return reconciler.Reconciler(
            decide=decide,
            policy=policy,
            known=self.known,
            work=self._work,
            tests=self._tests,
            measured=self._measured,
            refused=self._refused,
            executor=executor,
            clock=self._clock,
            observer=metrics,
        )

    @property
    def is_synced(self) -> bool:
        """Whether every cache has taken its first list."""
        return all(r.synced.is_set() for r in self._reflectors)

    def stuck_seconds(self) -> float:
        """For how long there has been work and none of it was ended."""
        return self._reconciler.stuck_seconds()

    def ailments(self) -> dict[str, float]:
        """What a liveness probe should fail for: its name, and for how many seconds."""
        found = {f"silent {r.name}": r.silent_seconds() for r in self._reflectors}
        found = {name: seconds for name, seconds in found.items() if seconds > SILENT_SECONDS}
        if self.is_synced and (stuck := self.stuck_seconds()) > STUCK_SECONDS:
            found["stuck"] = stuck
        return found

    async def wait_synced(self) -> None:
        """Wait until every cache has taken its first list."""
        for each in self._reflectors:
            await each.synced.wait()

    async def run(self) -> NoReturn:
        """Keep the caches, and reconcile once all of them are filled.

        Raises
        ------
        ExceptionGroup
            With errors.NotLeaderError, when we may not write any more.
        """
        self._is_running = True
        async with asyncio.TaskGroup() as group:
            for each in self._reflectors:
                group.create_task(each.run(), name=f"reflector {each.name}")
            await self.wait_synced()
            _log.info("caches are filled", objects=len(self.known.objects))
            group.create_task(self._reconciler.run(), name="reconciler")
        raise AssertionError("reflectors do not end")

    async def drain(self) -> None:
        """Begin nothing more, and let what is under way end, for a short time."""
        self._work.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._work.wait_idle()

    async def close(self) -> None:
        """End all tests and measurements; `run` is to be cancelled before."""
        await self._tests.close()
        await self._measured.close()

    def _show(self, metrics: metric.Metrics) -> None:
        work, known, tests = self._work, self.known, self._tests
        metrics.gauge("queue_depth", "ModelDeployments that wait for a worker.", lambda: float(len(work)))
        metrics.gauge(
            "queue_oldest_seconds", "How long the one that waits longest has waited.", work.oldest_seconds
        )
        metrics.gauge("in_progress", "ModelDeployments that workers have.", lambda: float(work.in_progress))
        metrics.gauge("objects", "ModelDeployments that are known.", lambda: float(len(known.objects)))
        metrics.gauge("smoke_tests_running", "Smoke tests that run or wait.", lambda: float(len(tests)))
        metrics.gauge(
            "stuck_seconds", "For how long no work was ended though there was some.", self.stuck_seconds
        )

        metrics.gauge(
            "leading", "1 while this process works, 0 while it stands by.", lambda: float(self._is_running)
        )
        showing.show(metrics, known.objects)

    def _on_gone(self, entry: objects.ModelDeployment) -> None:
        self._tests.forget(entry.owner.uid)
        self._measured.forget(entry.owner.uid)
        self._refused.forget(entry.owner.uid)

    def _on_test_end(self, entry: objects.ModelDeployment, revision: str) -> None:
        self._measured.test_ended(entry, revision)
        self._work.add(entry.key, queue.Urgency.Now)
