"""The HTTP server: uvicorn in front, a pool of threads behind."""

import asyncio
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent import futures
from typing import Any, Final

import uvicorn

from local.modelserver import errors, rest

_Message = MutableMapping[str, Any]
_NEVER_SECONDS: Final = 365 * 24 * 3600
"""The original never ends an idle connection by itself."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class App:
    """The ASGI application.

    Predictions run in the pool; status and metadata are answered at once, so that probes do not wait behind them.
    """

    def __init__(self, api: rest.Api, *, thread_count: int, has_cors: bool) -> None:
        self._api = api
        # The original's event loop lives on a thread of the pool. With a pool of one nothing is ever answered.
        self._pool = futures.ThreadPoolExecutor(thread_count - 1, "rest") if thread_count > 1 else None
        self._extra_headers = _CORS_HEADERS if has_cors else []

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        body = await _read_body(receive)
        if self._pool is None:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        response = await self._respond(scope, body)
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", str(len(response.body)).encode()),
            *self._extra_headers,
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: _Message, body: bytes) -> rest.Response:
        raw: bytes = scope["raw_path"]
        if scope["query_string"]:
            raw = raw + b"?" + scope["query_string"]
        path = raw.decode("utf-8", "surrogateescape")
        if not rest.is_api(path):
            return rest.NOT_FOUND
        try:
            call = rest.parse_call(scope["method"], path)
        except errors.ServingError as error:
            return rest.error_response(error)
        except rest.VersionTooLargeError:
            return rest.Response(status=400, body=b"")
        if scope["method"] == "GET":
            return self._api.answer(call, b"")
        is_gzip = any(
            name == b"content-encoding" and b"gzip" in value.lower() for name, value in scope["headers"]
        )
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, call, body, is_gzip)

    def _answer(self, call: rest.Call, body: bytes, is_gzip: bool) -> rest.Response:  # noqa: FBT001
        if is_gzip:
            try:
                body = zlib.decompress(body, _GZIP_WINDOW)
            except zlib.error:
                return rest.error_response(errors.invalid_argument("Failed to uncompress the request body"))
        return self._api.answer(call, body)


_CORS_HEADERS: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]


async def _read_body(receive: Callable[[], Awaitable[_Message]]) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    chunks = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def bind(port: int) -> socket.socket:
    """Open the REST port on all addresses."""
    # Named, because asyncio turns Nagle's algorithm off only where it sees that the protocol is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    return listener


def serve(app: App, listener: socket.socket) -> None:
    """Answer requests for ever, on a thread of its own.

    Outside of the main thread uvicorn leaves signals alone: the original has no handlers, so SIGTERM ends it at once.
    """
    config = uvicorn.Config(
        app=app,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_NEVER_SECONDS,
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, args=([listener],), name="http", daemon=True).start()
