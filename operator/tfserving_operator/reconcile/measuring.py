"""What servers were seen to take of memory: asked for at a few moments, and remembered by revision."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import structlog

from tfserving_operator.reconcile import objects

SETTLE_SECONDS: Final = 30.0
"""After a test: kubelet and metrics-server each take a sample every 10 to 15 s, so that a later one has its burst."""

Ask = Callable[[str, str], Awaitable[Mapping[str, int]]]
"""Bytes by pod, of a namespace and a revision."""
Pods = Callable[[objects.ModelDeployment, str], Collection[str]]
"""Names of the pods of a revision that are the ModelDeployment's own."""

_log = structlog.stdlib.get_logger(__name__)


class Measurements:
    """The largest working sets that were seen in this process's life; nobody waits for them.

    Parameters
    ----------
    ask
        None measures nothing.
    pods
        Others with the same labels tell nothing about the model.
    wake
        Told of a ModelDeployment one of whose servers took more than was known.
    settle_seconds
        From a test to its measurement.
    """

    def __init__(
        self,
        *,
        ask: Ask | None,
        pods: Pods,
        wake: Callable[[objects.ModelDeployment], None],
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._ask = ask
        self._pods = pods
        self._wake = wake
        self._settle_seconds = settle_seconds
        self._peaks: dict[str, dict[str, int]] = {}
        self._waiting: dict[tuple[str, str, float], asyncio.Task[None]] = {}

    def of(self, uid: str) -> Mapping[str, int]:
        """Bytes by revision of a ModelDeployment."""
        return dict(self._peaks.get(uid, {}))

    def test_ended(self, entry: objects.ModelDeployment, revision: str) -> None:
        """Measure a revision soon; tests that end until then are covered by it."""
        self._plan(entry, revision, self._settle_seconds)

    def bake_ended(self, entry: objects.ModelDeployment, revision: str) -> None:
        """Measure a revision now."""
        self._plan(entry, revision, 0.0)

    def retain(self, uid: str, revisions: Collection[str]) -> None:
        """Drop what is known of other revisions, and what is planned of them."""
        for key, task in tuple(self._waiting.items()):
            if key[0] == uid and key[1] not in revisions:
                task.cancel()
        if (peaks := self._peaks.get(uid)) is not None:
            self._peaks[uid] = {name: peak for name, peak in peaks.items() if name in revisions}

    def forget(self, uid: str) -> None:
        """Drop all of a ModelDeployment that is gone."""
        self.retain(uid, ())
        self._peaks.pop(uid, None)

    async def close(self) -> None:
        """Measure nothing more."""
        tasks = tuple(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _plan(self, entry: objects.ModelDeployment, revision: str, seconds: float) -> None:
        key = (entry.owner.uid, revision, seconds)
        if self._ask is None or key in self._waiting:
            return
        task = asyncio.create_task(self._measure(self._ask, entry, revision, seconds))
        self._waiting[key] = task
        task.add_done_callback(lambda _: self._waiting.pop(key, None))

    async def _measure(self, ask: Ask, entry: objects.ModelDeployment, revision: str, seconds: float) -> None:
        log = _log.bind(namespace=entry.owner.namespace, name=entry.owner.name, revision=revision)
        await asyncio.sleep(seconds)
        if not self._pods(entry, revision):
            return
        try:
            found = await ask(entry.owner.namespace, revision)
        except Exception:  # what is nice to know must not cost more than itself
            log.exception("measuring failed")
            return
        ours = self._pods(entry, revision)
        peak = max((count for pod, count in found.items() if pod in ours), default=0)
        peaks = self._peaks.setdefault(entry.owner.uid, {})
        if peak > peaks.get(revision, 0):
            peaks[revision] = peak
            self._wake(entry)
