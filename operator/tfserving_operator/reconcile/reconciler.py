"""One reconciliation: gather, decide, execute, and when to look again."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, NoReturn, Protocol

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions, outcomes, snapshot
from tfserving_operator.reconcile import caches, execute, gather, measuring, objects, queue, refusals, testing

WORKERS: Final = 32

Decide = Callable[[snapshot.Snapshot, datetime], actions.Decision]
_log = structlog.stdlib.get_logger(__name__)


class Observer(Protocol):
    """Told of reconciliations, for the metrics."""

    def reconciled(self, *, result: str, seconds: float) -> None:
        """One reconciliation ended."""
        ...

    def rollout_ended(self, *, outcome: str, reason: str, cause: str) -> None:
        """One rollout ended."""
        ...

    def step_ended(self, *, step: str, seconds: float) -> None:
        """One step of a rollout ended."""
        ...

    def memory_killed(self, *, kind: str) -> None:
        """One container was killed for memory."""
        ...


class Reconciler:
    """Takes keys from the queue, one at a time for each ModelDeployment, many at a time for all."""

    def __init__(
        self,
        *,
        decide: Decide,
        policy: snapshot.Policy,
        known: caches.Caches,
        work: queue.WorkQueue,
        tests: testing.Tests,
        measured: measuring.Measurements,
        refused: refusals.Refusals,
        executor: execute.Executor,
        clock: clocks.Clock,
        observer: Observer,
    ) -> None:
        self._decide = decide
        self._policy = policy
        self._known = known
        self._work = work
        self._tests = tests
        self._measured = measured
        self._refused = refused
        self._executor = executor
        self._clock = clock
        self._observer = observer
        self._progress_at = clock.monotonic()

    def stuck_seconds(self) -> float:
        """For how long there has been work and none of it was ended; 0.0 where there is none."""
        if not len(self._work) and not self._work.in_progress:
            self._progress_at = self._clock.monotonic()
        return self._clock.monotonic() - self._progress_at

    async def run(self) -> NoReturn:
        """Work for ever.

        Raises
        ------
        ExceptionGroup
            With errors.NotLeaderError, when we may not write any more.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work_on(), name=f"worker {number}")
        raise AssertionError("workers do not end")

    async def _work_on(self) -> NoReturn:
        while True:
            key = await self._work.get()
            started = self._clock.monotonic()
            result = "cancelled"
            try:
                result = await self._reconcile_safely(key)
            finally:
                self._work.done(key)
                self._progress_at = self._clock.monotonic()
                self._observer.reconciled(result=result, seconds=self._progress_at - started)

    async def _reconcile_safely(self, key: queue.Key) -> str:
        log = _log.bind(namespace=key.namespace, name=key.name)
        try:
            return await self.reconcile(key)
        except errors.TransientError as error:
            log.warning("trying again", error=error.message, seconds=round(self._work.retry(key), 2))
            return "retried"
        except errors.NotLeaderError:
            raise
        except errors.ApiError as error:
            log.error(  # noqa: TRY400 - the API's words say it all
                "the status cannot be written", error=error.message, seconds=round(self._work.retry(key), 2)
            )
            return "refused"
        except Exception:  # one object's trouble must not stop the others
            log.exception("reconciliation failed", seconds=round(self._work.retry(key), 2))
            return "failed"

    async def reconcile(self, key: queue.Key) -> str:
        """Bring one ModelDeployment a step further; the result's name is for the metrics."""
        entry = self._known.objects.get(key)
        if entry is None or entry.deleting:
            # What it owns goes with it; there is nothing to be undone.
            self._work.succeeded(key)
            return "gone"
        uid = entry.owner.uid
        gathered = gather.gather(
            entry,
            self._known,
            policy=self._policy,
            tests=self._tests.of(uid),
            refusals=self._refused.of(entry.owner),
            peaks=self._measured.of(uid),
        )
        decision = self._decide(gathered, self._clock.now())
        progress = await self._executor.execute(entry, decision)
        match progress:
            case execute.Progress.Overtaken:
                self._work.retry_at_once(key)
            case execute.Progress.Complete:
                self._work.succeeded(key)
                self._tell(entry, decision.status)
                self._tests.retain(uid, _revisions(decision))
                self._measured.retain(uid, _revisions(decision))
                self._look_again(entry, decision)
        return progress.value

    def _tell(self, entry: objects.ModelDeployment, after: status.Status) -> None:
        """Count what a status that was just written says anew."""
        before = entry.status
        if after == before:
            return
        if end := outcomes.ended_rollout(before, after):
            self._observer.rollout_ended(outcome=str(end.outcome), reason=end.reason, cause=end.cause)
        if step := outcomes.ended_step(before, after, self._clock.now()):
            self._observer.step_ended(step=str(step.step), seconds=step.seconds)
            if step.step is reasons.Step.Baking and after.active_revision is not None:
                self._measured.bake_ended(entry, after.active_revision.name)
        for kind in outcomes.new_kills(before, after):
            self._observer.memory_killed(kind=kind)

    def _look_again(self, entry: objects.ModelDeployment, decision: actions.Decision) -> None:
        wishes = (decision.requeue_after_seconds, self._refused.next_end_seconds(entry.owner))
        seconds = min((wish for wish in wishes if wish is not None), default=None)
        if seconds is not None:
            self._work.add_after(entry.key, max(0.0, seconds))


def _revisions(decision: actions.Decision) -> frozenset[str]:
    """Those whose tests somebody waits for."""
    after = decision.status
    return frozenset(r.name for r in (after.active_revision, after.candidate_revision) if r is not None)
