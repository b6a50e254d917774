"""Sends cases to one pod: bodies are written once, answers are read off the event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tfserving_operator.adapters.serving import endpoints, reading, workers
from tfserving_operator.core.smoke import answers, cases, encoding, recordings

_KEPT_BODIES: Final = 48 * 1024 * 1024
"""Of one test's bodies that are kept to be sent again; others are written anew."""


class Bodies:
    """The bodies of a test's cases."""

    def __init__(self, shop: workers.Workers) -> None:
        self._shop = shop
        self._known: dict[tuple[str, str], bytes] = {}
        self._left = _KEPT_BODIES

    async def of(self, case: cases.Case, signature_name: str, *, keep: bool = True) -> bytes:
        """Write a case's body, or give it again."""
        key = (case.name, signature_name)
        if keep and key in self._known:
            return self._known[key]
        body = await self._shop.compute(encoding.body, case, signature_name)
        if keep and len(body) <= self._left:
            self._left -= len(body)
            self._known[key] = body
        return body

    def sizes(self, signature_name: str) -> dict[str, int]:
        """How long the bodies are that are kept, by case."""
        return {
            name: len(body) for (name, signature), body in self._known.items() if signature == signature_name
        }


class Pod:
    """One pod, and what is known of it so far."""

    def __init__(
        self, endpoint: endpoints.Endpoint, *, signature_name: str, bodies: Bodies, reader: reading.Reader
    ) -> None:
        self.endpoint = endpoint
        self.signature_name = signature_name
        self.recorded = recordings.PodRecording(pod=endpoint.target.pod, version=endpoint.version)
        self.answered: dict[str, answers.Answer] = {}
        self.seconds: dict[str, float] = {}
        self._bodies = bodies
        self._reader = reader

    def recording(self) -> recordings.PodRecording:
        """What was recorded so far."""
        return replace(self.recorded, answered=dict(self.answered), seconds=dict(self.seconds))

    async def ask(self, case: cases.Case, *, keep_body: bool = False) -> answers.Answer:
        """Send a case and read the answer."""
        reply, _ = await self.send(case, keep_body=keep_body)
        return await self._reader.read(reply)

    async def ask_timed(self, case: cases.Case) -> answers.Answer:
        """Send one of the test's cases as it is written; the shortest time of all times counts."""
        reply, seconds = await self.send(case, keep_body=True)
        found = await self._reader.read(reply)
        if found.succeeded:
            self.seconds[case.name] = min(seconds, self.seconds.get(case.name, seconds))
        return found

    async def send(self, case: cases.Case, *, keep_body: bool) -> tuple[endpoints.Reply, float]:
        """Send a case; give its unread reply and how long that took."""
        body = await self._bodies.of(case, self.signature_name, keep=keep_body)
        clock = asyncio.get_running_loop().time
        started = clock()
        reply = await self.endpoint.predict(body)
        return reply, clock() - started


Pace = Callable[[], bool]
"""Whether there is still time for one request more."""
