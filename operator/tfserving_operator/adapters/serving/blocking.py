"""A served model asked by `requests`, for the command line: any URL, TLS and proxies as people have them set up.

The same bounds as in the operator hold: bytes, time, no redirects. Nothing that is answered raises.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import urllib3

from tfserving_operator.adapters.serving import budgets, client, endpoints
from tfserving_operator.core.smoke import answers, plans, recordings, signatures

_OK: Final = 200
_CHUNK: Final = 64 * 1024
_HEADERS: Final = {"Connection": "close", "Accept-Encoding": "identity"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockingEndpoint:
    """One version of a model below a base URL; each request waits in a thread of its own."""

    url: str
    """Of the server, such as http://localhost:8501, with a path where a gateway adds one."""
    model: str
    version: int
    limits: client.Limits
    received: budgets.Budget
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def target(self) -> plans.Target:
        """What messages call it."""
        return plans.Target(pod=self.url, address=self.url)

    async def state(self) -> tuple[recordings.ModelState, answers.Answer | None]:
        """Ask the status route for the version's state; the answer is given where it is none."""
        try:
            status, body = await self._opening("")
        except endpoints.NoAnswerError as error:
            return recordings.ModelState.Unknown, error.answer
        return endpoints.read_state(status, body)

    async def metadata(self) -> signatures.Metadata | None:
        """Ask for the signatures; None where there is no answer, which predictions then explain."""
        try:
            status, body = await self._opening("/metadata")
            return signatures.parse_metadata(answers.load_json(body)) if status == _OK else None
        except (endpoints.NoAnswerError, ValueError, RecursionError):
            return None

    async def predict(self, body: bytes) -> endpoints.Reply:
        """Send a predict request."""
        most, seconds = self.limits.response_bytes, self.limits.request_seconds
        lease = budgets.Lease(self.received)
        try:
            status, answered = await asyncio.to_thread(
                self._fetch, ":predict", body, most_bytes=most, seconds=seconds
            )
        except endpoints.NoAnswerError as error:
            return endpoints.Reply(lost=error.answer)
        lease.grow(len(answered))
        return endpoints.Reply(status=status, body=answered, lease=lease)

    async def _opening(self, path: str) -> tuple[int, bytes]:
        return await asyncio.to_thread(
            self._fetch,
            path,
            None,
            most_bytes=self.limits.metadata_bytes,
            seconds=self.limits.opening_seconds,
        )

    def _fetch(self, path: str, body: bytes | None, *, most_bytes: int, seconds: float) -> tuple[int, bytes]:
        url = f"{self.url.rstrip('/')}/v1/models/{self.model}/versions/{self.version}{path}"
        deadline = time.monotonic() + seconds
        headers: dict[str, str] = dict(_HEADERS)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self.session.request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers=headers,
                timeout=(self.limits.connect_seconds, seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.is_redirect:
                    raise endpoints.redirected(response.status_code, response.headers.get("Location"))
                return response.status_code, _read(response, most_bytes, deadline, seconds)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _trouble(error, seconds) from error


def _read(response: requests.Response, most_bytes: int, deadline: float, seconds: float) -> bytes:
    received = bytearray()
    raw: Any = response.raw
    while True:
        # A read of its own for whatever has come: a slow drip must meet the deadline too
        chunk = raw.read1(_CHUNK, decode_content=False)
        if not chunk:
            return bytes(received)
        received += chunk
        if len(received) > most_bytes:
            detail = f"the answer is longer than {most_bytes} bytes"
            raise endpoints.NoAnswerError(answers.Trouble.TooLarge, detail, response.status_code)
        if time.monotonic() > deadline:
            raise endpoints.NoAnswerError(answers.Trouble.TimedOut, f"no whole answer within {seconds:g} s")


def _trouble(error: Exception, seconds: float) -> endpoints.NoAnswerError:
    text = f"{type(error).__name__}: {error}"
    match error:
        case requests.ReadTimeout() | urllib3.exceptions.ReadTimeoutError():
            return endpoints.NoAnswerError(answers.Trouble.TimedOut, f"no whole answer within {seconds:g} s")
        case requests.exceptions.ChunkedEncodingError() | urllib3.exceptions.ProtocolError():
            return endpoints.NoAnswerError(
                answers.Trouble.Closed, f"the connection ended before the answer did: {text}"
            )
        case requests.ConnectionError() if _is_closed(error):
            return endpoints.NoAnswerError(
                answers.Trouble.Closed, f"the connection ended before the answer did: {text}"
            )
        case _:
            return endpoints.NoAnswerError(answers.Trouble.Unreachable, f"no connection: {text}")


def _is_closed(error: requests.ConnectionError) -> bool:
    """Whether the connection was there and ended; `requests` has one class for both."""
    return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ProtocolError)
