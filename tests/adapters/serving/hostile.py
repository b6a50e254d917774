"""Endpoints on loopback that misbehave, one way each."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

STATUS = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {}}]}
TENSOR = {
    "dtype": "DT_FLOAT",
    "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}], "unknown_rank": False},
}
SIGNATURE = {"inputs": {"x": TENSOR}, "outputs": {"y": TENSOR}, "method_name": "tensorflow/serving/predict"}
METADATA = {
    "model_spec": {"name": "digits", "signature_name": "", "version": "1"},
    "metadata": {"signature_def": {"signature_def": {"serving_default": SIGNATURE}}},
}


@contextlib.asynccontextmanager
async def endpoint(
    predict: Handler, status: Handler | None = None, metadata: Handler | None = None
) -> AsyncIterator[str]:
    """Serve the status and metadata routes as TensorFlow Serving does, and predictions as the handler does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
            path = head.split(" ", 2)[1]
            if path.endswith(":predict"):
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                await reader.readexactly(length)
                await predict(path, reader, writer)
            elif path.endswith("/metadata"):
                await (metadata or answer(METADATA))(path, reader, writer)
            else:
                await (status or answer(STATUS))(path, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


def raw(content: bytes) -> Handler:
    """Send bytes and close."""

    async def handle(_path: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return handle


def answer(
    body: object, status: str = "200 OK", headers: str = "Content-Type: application/json\r\n"
) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content)


def endless(start: bytes, chunk: bytes, pause: float) -> Handler:
    """Go on for ever."""

    async def handle(_path: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + start)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return handle


def silent() -> Handler:
    async def handle(_path: str, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    return handle


def in_turn(*handlers: Handler) -> Handler:
    """Each request gets the next one; the last one stays."""
    left = list(handlers)

    async def handle(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(path, reader, writer)

    return handle
