"""The work queue: each key once, urgent ones first, failed ones later and later."""

import asyncio
import heapq
import random
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from tfserving_operator.adapters import clock as clocks

BACKOFF_BASE_SECONDS: Final = 0.25
BACKOFF_CAP_SECONDS: Final = 60.0


class Key(NamedTuple):
    """Which ModelDeployment."""

    namespace: str
    name: str


class Urgency(IntEnum):
    """Who goes first; lower is sooner."""

    Now = 0
    """means failures, readiness and ends of tests: traffic depends on them"""
    Soon = 1
    """means every other change"""
    Later = 2
    """means what was asked for by time, and repetitions after an error"""


@dataclass(kw_only=True, slots=True)
class _Item:
    urgency: Urgency
    added_at: float


@dataclass(kw_only=True, slots=True)
class _Delayed:
    due: float
    handle: asyncio.TimerHandle = field(repr=False)


def backoff_seconds(failures: int, chance: random.Random) -> float:
    """How long to wait after so many failures in a row: doubling, capped, and spread over half its length."""
    ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** min(failures - 1, 16))
    return ceiling * chance.uniform(0.5, 1.0)


class WorkQueue:
    """Keys to be reconciled.

    A key is handed to one worker at a time. Added while it is waiting, it stays one; added while a worker
    has it, it comes again after `done`. Every reconciliation asks anew for its next time, so that taking a
    key drops what it was to be woken for later.
    """

    def __init__(self, *, clock: clocks.Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._waiting: dict[Key, _Item] = {}
        self._heap: list[tuple[Urgency, int, Key]] = []
        self._sequence = 0
        self._processing: set[Key] = set()
        self._again: dict[Key, _Item] = {}
        self._delayed: dict[Key, _Delayed] = {}
        self._failures: dict[Key, int] = {}
        self._ready = asyncio.Semaphore(0)
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._waiting)

    @property
    def in_progress(self) -> int:
        """How many keys workers have."""
        return len(self._processing)

    def oldest_seconds(self) -> float:
        """For how long the key that has waited longest has waited."""
        if not self._waiting:
            return 0.0
        return self._clock.monotonic() - min(item.added_at for item in self._waiting.values())

    def add(self, key: Key, urgency: Urgency = Urgency.Soon) -> None:
        """Have the key reconciled as soon as a worker is free."""
        if self._is_closed:
            return
        now = self._clock.monotonic()
        if key in self._processing:
            again = self._again.setdefault(key, _Item(urgency=urgency, added_at=now))
            again.urgency = min(again.urgency, urgency)
            return
        item = self._waiting.get(key)
        if item is None:
            self._waiting[key] = _Item(urgency=urgency, added_at=now)
            self._push(urgency, key)
            self._ready.release()
        elif urgency < item.urgency:
            item.urgency = urgency
            self._push(urgency, key)  # the older entry is passed over by `get`

    def add_after(self, key: Key, seconds: float) -> None:
        """Have the key reconciled after that time, or at the earlier one that was asked for before."""
        if self._is_closed:
            return
        due = self._clock.monotonic() + seconds
        before = self._delayed.get(key)
        if before is not None:
            if before.due <= due:
                return
            before.handle.cancel()
        handle = asyncio.get_running_loop().call_later(seconds, self._fall_due, key)
        self._delayed[key] = _Delayed(due=due, handle=handle)

    def retry(self, key: Key) -> float:
        """Have the key reconciled again after a failure, and tell in how many seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = backoff_seconds(failures, self._chance)
        self.add_after(key, seconds)
        return seconds

    def retry_at_once(self, key: Key) -> None:
        """Have the key reconciled again now, but with growing delays where it happens again and again."""
        if key in self._failures:
            self.retry(key)
        else:
            self._failures[key] = 1
            self.add(key, Urgency.Now)

    def succeeded(self, key: Key) -> None:
        """Forget the failures of the key."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Wait for the most urgent key; the caller has it until `done`."""
        await self._ready.acquire()
        if self._is_closed:
            await asyncio.Future()  # until the worker is cancelled
        while True:
            urgency, _, key = heapq.heappop(self._heap)
            item = self._waiting.get(key)
            if item is not None and item.urgency == urgency:
                break
        del self._waiting[key]
        self._processing.add(key)
        self._idle.clear()
        if delayed := self._delayed.pop(key, None):
            delayed.handle.cancel()
        return key

    def done(self, key: Key) -> None:
        """Give the key back."""
        self._processing.discard(key)
        if not self._processing:
            self._idle.set()
        if item := self._again.pop(key, None):
            self.add(key, item.urgency)

    async def wait_idle(self) -> None:
        """Wait until no worker has a key."""
        await self._idle.wait()

    def close(self) -> None:
        """Take nothing more, and drop all timers. A worker that waits goes on waiting."""
        self._is_closed = True
        for delayed in self._delayed.values():
            delayed.handle.cancel()
        self._delayed.clear()

    def _fall_due(self, key: Key) -> None:
        self._delayed.pop(key, None)
        self.add(key, Urgency.Later)

    def _push(self, urgency: Urgency, key: Key) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (urgency, self._sequence, key))
