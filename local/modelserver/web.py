"""The HTTP server: uvicorn in front, a pool of threads behind; the page of the metrics."""

import asyncio
import dataclasses
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent import futures
from typing import Any, Final

import uvicorn

from local.modelserver import jsonoutput, metrics, rest, textprotos

_Message = MutableMapping[str, Any]
_NEVER_SECONDS: Final = 365 * 24 * 3600
"""The original never ends an idle connection by itself."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
MAX_UNCOMPRESSED_BYTES: Final = 100 * 2**20
"""What a compressed body may hold; a plain one is not limited."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Monitoring:
    """Where the metrics are read.

    Attributes
    ----------
    path
        The path of the page; nothing may follow it.
    """

    path: str
    metrics: metrics.Metrics

    def page(self, path: str) -> rest.Response:
        """Answer a request whose path, up to its query string, is that of the page."""
        if path == self.path:
            return rest.Response(content_type=_TEXT, body=jsonoutput.encode(self.metrics.page()))
        message = f"Unexpected path: {path}. Should be {self.path}"
        return rest.Response(status=400, content_type=_TEXT, body=jsonoutput.encode(message))


def read_monitoring(path: str, counted: metrics.Metrics) -> Monitoring | None:
    """Return what a monitoring config file asks for."""
    config = textprotos.read_monitoring_config(path).prometheus_config
    return Monitoring(path=config.path or METRICS_PATH, metrics=counted) if config.enable else None


class App:
    """The ASGI application: reads requests, hands them to the pool in their order, sends what comes back.

    As in the original, only what no route knows is answered beside the pool: status and metadata wait their turn too.
    """

    def __init__(
        self, api: rest.Api, *, thread_count: int, has_cors: bool, monitoring: Monitoring | None = None
    ) -> None:
        self._api = api
        self._monitoring = monitoring
        # The original's event loop lives on a thread of the pool. With a pool of one nothing is ever answered.
        self._pool = futures.ThreadPoolExecutor(thread_count - 1, "rest") if thread_count > 1 else None
        self._has_cors = has_cors

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        body = await _read_body(receive)
        raw: bytes = scope["raw_path"]
        path = raw.decode("utf-8", "surrogateescape")
        full = path
        if scope["query_string"]:
            full = f"{path}?{scope['query_string'].decode('utf-8', 'surrogateescape')}"
        headers: list[tuple[bytes, bytes]] = []
        if scope["method"] not in _VERBS:
            response = _NOT_IMPLEMENTED
        elif self._monitoring is not None and path == self._monitoring.path:
            response = await self._run(receive, self._monitoring.page, full)
        elif not rest.is_api(full):
            response = _NOT_FOUND
        else:
            response = await self._run(receive, self._answer, scope, full, body)
            headers = _CORS_HEADERS if self._has_cors else []
        await _send(send, response, headers)

    async def _run(
        self, receive: Callable[[], Awaitable[_Message]], work: Callable[..., rest.Response], *arguments: Any
    ) -> rest.Response:
        if self._pool is None:
            while (await receive())["type"] != "http.disconnect":
                pass
            return _NOT_FOUND
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _answer(self, scope: _Message, path: str, body: bytes) -> rest.Response:
        if self._has_cors and scope["method"] == "OPTIONS":
            return rest.Response(body=b"")
        if any(name == b"content-encoding" and b"gzip" in value for name, value in scope["headers"]):
            body = _uncompressed(body)
        return self._api.answer(scope["method"], path, body)


def _uncompressed(body: bytes) -> bytes:
    """Return what a compressed body holds; nothing if it cannot be told, with which the original goes on."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(body, MAX_UNCOMPRESSED_BYTES)
    except zlib.error:
        return b""
    return plain if stream.eof and not stream.unused_data else b""


def _page(status: int, reason: str) -> rest.Response:
    """Return what the HTTP library of the original answers by itself."""
    text = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return rest.Response(status=status, content_type="text/html", body=text.encode())


METRICS_PATH: Final = "/monitoring/prometheus/metrics"
"""Where the metrics are read if the config file names no path."""
_TEXT: Final = "text/plain"
_NOT_FOUND: Final = _page(404, "Not Found")
_NOT_IMPLEMENTED: Final = _page(501, "Not Implemented")
_VERBS: Final = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
_CORS_HEADERS: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]


async def _send(
    send: Callable[[_Message], Awaitable[None]], response: rest.Response, more: list[tuple[bytes, bytes]]
) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


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
    """Open the REST port on all addresses, of both families where there are two."""
    try:
        return _bound(socket.AF_INET6, "::", port)
    except OSError:
        return _bound(socket.AF_INET, "0.0.0.0", port)


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # Named, because asyncio turns Nagle's algorithm off only where it sees that the protocol is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
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
