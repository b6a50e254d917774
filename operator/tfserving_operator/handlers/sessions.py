"""kopf's HTTP session, by the same login as ours; it hands out JSON that kopf's parser survives."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from typing_extensions import override

from tfserving_operator.adapters.kube import decoding, login


def open_session(account: login.Login, token: str) -> aiohttp.ClientSession:
    """Open a session; kopf closes it."""
    tls = account.build_ssl_context()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls if tls is not None else True),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        response_class=_Response,
    )


class _Response(aiohttp.ClientResponse):
    """A response whose JSON is never nested more deeply than Python's parser reads."""

    @override
    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        await super().start(connection)
        self.content = _Lines(self.content)  # type: ignore[assignment] # in all that is asked of it
        return self

    @override
    async def json(self, **_: Any) -> Any:
        return decoding.loads(await self.read())


class _Lines:
    """A body whose chunks are whole lines, each a JSON object."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield decoding.shallow(line) + b"\n"
        if rest:
            yield decoding.shallow(rest)
