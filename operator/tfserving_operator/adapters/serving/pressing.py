"""The load burst: the largest case first, for its memory, then all in turn, for answers that mix under load."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tfserving_operator.adapters.serving import asking, endpoints, reading, workers
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, recordings
from tfserving_operator.core.smoke.checks import comparing, evidence

_KEPT_FAILURES: Final = 8
_MOST_READ: Final = 48
"""Answers whose bytes are not those of the same case alone are read and compared, up to so many."""
_MOST_DIFFERING: Final = 8
"""That many differences are enough."""
_ROOM: Final = workers.RECEIVED_BYTES // 2
"""Of all tests' answers that were received and not read yet: what one burst may fill."""


class Press:
    """A burst on one pod; `recorded` holds what came back so far."""

    def __init__(
        self,
        pod: asking.Pod,
        given: Sequence[cases.Case],
        *,
        signature: inspection.Signature | None,
        reader: reading.Reader,
        shop: workers.Workers,
        sizes: dict[str, int],
        has_time: asking.Pace,
    ) -> None:
        self.recorded = recordings.LoadRecording(pod=pod.endpoint.target.pod, sent=0)
        self._pod = pod
        self._given = [
            case for case in given if case.name in pod.answered and pod.answered[case.name].succeeded
        ]
        self._largest = max(self._given, key=lambda case: sizes.get(case.name, 0), default=None)
        self._signature = signature
        self._allowed: comparing.Floors | None = None
        self._reader = reader
        self._shop = shop
        self._has_time = has_time
        self._read = 0
        self._longest = 0
        """Bytes of the longest answer so far."""

    async def run(self, requests: int, concurrency: int) -> None:
        """Send so many requests, some at a time; stops early when there is trouble or no more time.

        The first one is sent alone: its answer tells how many of them there is room for.
        """
        if self._largest is None:
            return
        left = iter(range(requests))

        async def work(most: int = requests) -> None:
            for index in itertools.islice(left, most):
                if not self._has_time() or any(failure.trouble for failure in self.recorded.failures):
                    return
                case = self._largest if index < requests // 2 else self._given[index % len(self._given)]
                assert case is not None
                self.recorded = replace(self.recorded, sent=self.recorded.sent + 1)
                reply, seconds = await self._pod.send(case, keep_body=True)
                slowest = max(seconds, self.recorded.slowest_seconds)
                self.recorded = replace(self.recorded, slowest_seconds=slowest)
                self._longest = max(self._longest, len(reply.body))
                await self._take(case, reply)

        await work(1)
        at_once = min(concurrency, requests, max(1, _ROOM // max(self._longest, 1)))
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())

    async def _take(self, case: cases.Case, reply: endpoints.Reply) -> None:
        if reply.lost is not None or not reply.is_ok:
            self._fail(await self._reader.glance(reply))
            return
        known = self._pod.answered[case.name]
        if await self._reader.is_answer(reply, known):
            self.recorded = replace(self.recorded, compared=self.recorded.compared + 1)
            return
        if self._read >= _MOST_READ or self.recorded.differing >= _MOST_DIFFERING:
            self._reader.drop(reply)
            return
        self._read += 1
        found = await self._reader.glance(reply)
        if not found.succeeded:
            self._fail(found)
            return
        await self._compare(case, known, found)

    async def _compare(self, case: cases.Case, known: answers.Answer, found: answers.Answer) -> None:
        told = await self._shop.compute(self._apart, case, known, found)
        changed = replace(self.recorded, compared=self.recorded.compared + 1)
        if told:
            changed = replace(
                changed,
                differing=changed.differing + 1,
                example=changed.example or f"case {case.name}: {told[0].message}",
                golden=changed.golden or any(each.misses_golden for each in told),
            )
        self.recorded = changed

    def _apart(self, case: cases.Case, known: answers.Answer, found: answers.Answer) -> list[comparing.Apart]:
        if self._allowed is None:
            alone = {name: evidence.named(each, self._signature) for name, each in self._pod.answered.items()}
            self._allowed = comparing.floors(alone)
        before, after = (evidence.named(each, self._signature) for each in (known, found))
        return comparing.whole(case, before, after, self._allowed)

    def _fail(self, answer: answers.Answer) -> None:
        kept = self.recorded.failures[: _KEPT_FAILURES - 1]
        self.recorded = replace(self.recorded, failed=self.recorded.failed + 1, failures=(*kept, answer))
