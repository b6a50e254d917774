"""One pod's REST API, asked within bounds: bytes, time, no redirects. Nothing that it answers raises."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from tfserving_operator.adapters.serving import budgets, endpoints
from tfserving_operator.core.smoke import answers, plans, recordings, signatures

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_THREAD_BYTES: Final = 128 * 1024
"""Larger metadata is parsed off the event loop."""
_LEASE_BYTES: Final = 1024 * 1024
"""What an answer takes at a time from the budget of all tests."""
_HEADERS: Final = {
    "Connection": "close",  # so that the server does not wait for a further request
    # No decompression: a small body must not become a large one.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one request may cost."""

    response_bytes: int = 32 * 1024 * 1024
    """Enough for the JSON of two million values."""
    metadata_bytes: int = 4 * 1024 * 1024
    connect_seconds: float = 5.0
    opening_seconds: float = 10.0
    """For the status and metadata routes, which never wait for the model."""
    request_seconds: float = 60.0
    """TensorFlow Serving itself gives up after 30."""
    settle_seconds: float = 10.0
    """How long a Service may take to point at the pods it was flipped to."""
    settle_pause_seconds: float = 0.5
    pods_at_a_time: int = 8

    def __post_init__(self) -> None:
        if self.response_bytes > 64 * 1024 * 1024:
            raise ValueError("response_bytes is at most 64 MiB: parsing takes several times that")


def open_session() -> aiohttp.ClientSession:
    """Open the session for smoke tests; it is shared by all of them.

    Each request has a connection of its own: a kept-alive one may end just before the next request, and does not
    follow the Service's selector. Nothing of one answer, cookies least of all, goes into the next request.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


@dataclass(frozen=True, kw_only=True, slots=True)
class PodClient:
    """A pod's REST API, every request pinned to one version."""

    session: aiohttp.ClientSession
    target: plans.Target
    model: str
    version: int
    limits: Limits
    received: budgets.Budget
    """Of all tests of the process, for bodies that were not read yet."""

    async def state(self) -> tuple[recordings.ModelState, answers.Answer | None]:
        """Ask the status route for the version's state; the answer is given where it is none."""
        path = f"/versions/{self.version}"
        try:
            status, body = await self._fetch(
                "GET",
                path,
                None,
                most_bytes=self.limits.metadata_bytes,
                seconds=self.limits.opening_seconds,
            )
        except endpoints.NoAnswerError as error:
            return recordings.ModelState.Unknown, _unreachable_if_late(error.answer)
        return endpoints.read_state(status, body)

    async def metadata(self) -> signatures.Metadata | None:
        """Ask for the signatures; None where there is no answer, which predictions then explain."""
        path = f"/versions/{self.version}/metadata"
        try:
            status, body = await self._fetch(
                "GET",
                path,
                None,
                most_bytes=self.limits.metadata_bytes,
                seconds=self.limits.opening_seconds,
            )
            return (
                signatures.parse_metadata(await _off_loop(answers.load_json, body)) if status == _OK else None
            )
        except (endpoints.NoAnswerError, ValueError, RecursionError):
            return None

    async def predict(self, body: bytes) -> endpoints.Reply:
        """Send a predict request."""
        path = f"/versions/{self.version}:predict"
        lease = budgets.Lease(self.received)
        most, seconds = self.limits.response_bytes, self.limits.request_seconds
        try:
            status, answered = await self._fetch(
                "POST", path, body, most_bytes=most, seconds=seconds, lease=lease
            )
        except endpoints.NoAnswerError as error:
            lease.end()
            return endpoints.Reply(lost=error.answer)
        except BaseException:
            lease.end()
            raise
        return endpoints.Reply(status=status, body=answered, lease=lease)

    async def _fetch(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        most_bytes: int,
        seconds: float,
        lease: budgets.Lease | None = None,
    ) -> tuple[int, bytes | bytearray]:
        url = f"http://{self.target.address}/v1/models/{self.model}{path}"
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=self.limits.connect_seconds)
        headers = {**_HEADERS, "Content-Type": "application/json"} if body is not None else _HEADERS
        try:
            async with self.session.request(
                method,
                url,
                data=io.BytesIO(body) if body is not None else None,  # sent in pieces, not at once
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                auto_decompress=False,
            ) as response:
                if response.status in _REDIRECTS:
                    raise endpoints.redirected(response.status, response.headers.get("Location"))
                return response.status, await _read(response, most_bytes, lease)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _trouble(error, seconds) from error


async def _read(
    response: aiohttp.ClientResponse, most_bytes: int, lease: budgets.Lease | None
) -> bytes | bytearray:
    received = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        received += chunk
        if len(received) > most_bytes:
            detail = f"the answer is longer than {most_bytes} bytes"
            raise endpoints.NoAnswerError(answers.Trouble.TooLarge, detail, response.status)
        if lease is not None and len(received) > lease.taken and not lease.grow(_LEASE_BYTES):
            detail = "the answers to all smoke tests that run now are too large together; it is tried again"
            raise endpoints.NoAnswerError(answers.Trouble.TooLarge, detail, response.status)
    return received


def _trouble(error: Exception, seconds: float) -> endpoints.NoAnswerError:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return endpoints.NoAnswerError(answers.Trouble.Unreachable, f"no connection: {text}")
        case TimeoutError():
            return endpoints.NoAnswerError(answers.Trouble.TimedOut, f"no whole answer within {seconds:g} s")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return endpoints.NoAnswerError(
                answers.Trouble.Closed, f"the connection ended before the answer did: {text}"
            )
        case aiohttp.ClientResponseError():
            return endpoints.NoAnswerError(answers.Trouble.Foreign, f"no HTTP: {error.message}")
        case _:
            return endpoints.NoAnswerError(answers.Trouble.Closed, text)


def _unreachable_if_late(answer: answers.Answer) -> answers.Answer:
    """A status route that does not answer is not a slow model: something stands in between."""
    if answer.trouble is answers.Trouble.TimedOut and answer.status == 0:
        return answers.Answer(trouble=answers.Trouble.Unreachable, detail=answer.detail)
    return answer


async def _off_loop(parse: Any, body: bytes | bytearray) -> Any:
    return parse(body) if len(body) <= _THREAD_BYTES else await asyncio.to_thread(parse, body)
