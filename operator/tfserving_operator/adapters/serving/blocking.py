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


class _NoAnswerError(Exception):
    def __init__(self, trouble: answers.Trouble, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.answer = answers.Answer(status=status, trouble=trouble, detail=detail[:300])


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
        except _NoAnswerError as error:
            return recordings.ModelState.Unknown, error.answer
        if status != _OK:
            return recordings.ModelState.Unknown, answers.read(status, body)
        try:
            found = answers.load_json(body)["model_version_status"][0]["state"]
            return recordings.ModelState(found), None
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            detail = f"the status route answers what is not TensorFlow Serving's: {body[:80]!r}"
            return recordings.ModelState.Unknown, answers.Answer(
                status=status, trouble=answers.Trouble.Foreign, detail=detail[:300]
            )

    async def metadata(self) -> signatures.Metadata | None:
        """Ask for the signatures; None where there is no answer, which predictions then explain."""
        try:
            status, body = await self._opening("/metadata")
            return signatures.parse_metadata(answers.load_json(body)) if status == _OK else None
        except (_NoAnswerError, ValueError, RecursionError):
            return None

    async def predict(self, body: bytes) -> endpoints.Reply:
        """Send a predict request."""
        most, seconds = self.limits.response_bytes, self.limits.request_seconds
        lease = budgets.Lease(self.received)
        try:
            status, answered = await asyncio.to_thread(
                self._fetch, ":predict", body, most_bytes=most, seconds=seconds
            )
        except _NoAnswerError as error:
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
                    where = response.headers.get("Location", "nowhere")[:100]
                    detail = f"HTTP {response.status_code}, a redirect to {where}, is not followed"
                    raise _NoAnswerError(answers.Trouble.Foreign, detail, response.status_code)
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
            raise _NoAnswerError(answers.Trouble.TooLarge, detail, response.status_code)
        if time.monotonic() > deadline:
            raise _NoAnswerError(answers.Trouble.TimedOut, f"no whole answer within {seconds:g} s")


def _trouble(error: Exception, seconds: float) -> _NoAnswerError:
    text = f"{type(error).__name__}: {error}"
    match error:
        case requests.ReadTimeout() | urllib3.exceptions.ReadTimeoutError():
            return _NoAnswerError(answers.Trouble.TimedOut, f"no whole answer within {seconds:g} s")
        case requests.exceptions.ChunkedEncodingError() | urllib3.exceptions.ProtocolError():
            return _NoAnswerError(
                answers.Trouble.Closed, f"the connection ended before the answer did: {text}"
            )
        case requests.ConnectionError() if _is_closed(error):
            return _NoAnswerError(
                answers.Trouble.Closed, f"the connection ended before the answer did: {text}"
            )
        case _:
            return _NoAnswerError(answers.Trouble.Unreachable, f"no connection: {text}")


def _is_closed(error: requests.ConnectionError) -> bool:
    """Whether the connection was there and ended; `requests` has one class for both."""
    return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ProtocolError)
