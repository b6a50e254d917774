"""Turns for smoke tests: some at a time, and of those only a share for any one namespace."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class _Share:
    turns: asyncio.Semaphore
    users: int = 0


class Slots:
    """First come, first served within a namespace; a namespace that waits holds nobody else up."""

    def __init__(self, *, total: int, share: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._share = share
        self._shares: dict[str, _Share] = {}

    def __len__(self) -> int:
        """How many namespaces have tests that run or wait."""
        return len(self._shares)

    @contextlib.asynccontextmanager
    async def of(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a turn of a namespace, and hold it."""
        share = self._shares.setdefault(namespace, _Share(turns=asyncio.Semaphore(self._share)))
        share.users += 1
        try:
            async with share.turns, self._all:
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[namespace]
