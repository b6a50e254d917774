"""Bodies of requests that write."""

from collections.abc import Callable

import aiohttp
from aiohttp import abc
from typing_extensions import override


class GuardedBody(aiohttp.BytesPayload):
    """A body that asks the guard once more, with nothing but the socket left to come.

    Before it there may have been a handshake, or a stopped process: the time in which we may write can be over.
    The headers wait for the body, so that nothing of the request has gone out.
    """

    def __init__(self, data: bytes, guard: Callable[[], None]) -> None:
        super().__init__(data)
        self._guard = guard

    @override
    async def write_with_length(self, writer: abc.AbstractStreamWriter, content_length: int | None) -> None:
        self._guard()
        await super().write_with_length(writer, content_length)
