"""The answers of one test: read where it costs least, equal ones kept once, and all of them within a budget."""

import hashlib
from typing import Final

from tfserving_operator.adapters.serving import budgets, endpoints, workers
from tfserving_operator.core.smoke import answers

LOOP_BYTES: Final = 32 * 1024
"""Smaller bodies are read at once."""
THREAD_BYTES: Final = 512 * 1024
"""Larger ones are read in the process: a thread would hold the interpreter for more than 10 ms."""
KEPT_BYTES: Final = 64 * 1024 * 1024
"""Of all outputs that one test keeps: 16 answers of a million values."""


class Reader:
    """Reads replies; those with the same bytes get the same answer."""

    def __init__(self, shop: workers.Workers) -> None:
        self._shop = shop
        self._known: dict[bytes, answers.Answer] = {}
        self._lease = budgets.Lease(shop.kept)

    def close(self) -> None:
        """Give back what was kept, once it was judged."""
        self._lease.end()

    async def read(self, reply: endpoints.Reply) -> answers.Answer:
        """Read a reply and keep it.

        Returns
        -------
        Answer
            With trouble where it would be more than may be kept.
        """
        if reply.lost is not None:
            return reply.lost
        key = await self.key(reply)
        found = await self.glance(reply)
        if key in self._known:
            return found
        if self._lease.taken + found.size > KEPT_BYTES:
            detail = (
                f"the answers of this test come to more than {KEPT_BYTES} bytes: use fewer or smaller cases"
            )
            return answers.Answer(status=reply.status, trouble=answers.Trouble.TooLarge, detail=detail)
        if not self._lease.grow(found.size):
            detail = "the answers to all smoke tests that run now are too large together; it is tried again"
            return answers.Answer(status=reply.status, trouble=answers.Trouble.TooLarge, detail=detail)
        self._known[key] = found
        return found

    async def glance(self, reply: endpoints.Reply) -> answers.Answer:
        """Read a reply without keeping it."""
        if reply.lost is not None:
            return reply.lost
        try:
            if known := self._known.get(await self.key(reply)):
                return known
            if len(reply.body) <= LOOP_BYTES:
                return answers.read(reply.status, reply.body)
            if len(reply.body) <= THREAD_BYTES:
                return await self._shop.compute(answers.read, reply.status, reply.body)
            return await self._shop.read(reply.status, reply.body)
        finally:
            self.drop(reply)

    async def is_answer(self, reply: endpoints.Reply, answer: answers.Answer) -> bool:
        """Whether a reply has the very bytes that an answer was read from; it need not be read then."""
        if self._known.get(await self.key(reply)) is not answer:
            return False
        self.drop(reply)
        return True

    def drop(self, reply: endpoints.Reply) -> None:
        """Do without a reply."""
        if reply.lease is not None:
            reply.lease.end()

    def is_fuller_than(self, share: float) -> bool:
        """Whether more than a share of what the test may keep is used up."""
        return self._lease.taken > KEPT_BYTES * share

    async def key(self, reply: endpoints.Reply) -> bytes:
        """Give replies with the same status and body the same key."""
        if len(reply.body) <= THREAD_BYTES:
            return _key(reply)
        return await self._shop.compute(_key, reply)


def _key(reply: endpoints.Reply) -> bytes:
    return hashlib.sha256(reply.body, usedforsecurity=False).digest() + reply.status.to_bytes(4, "little")
