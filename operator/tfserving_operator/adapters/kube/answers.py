"""What the API answered: error classes for its refusals, events of a watch for its lines."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson

from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import decoding

HTTP_ERROR: Final = HTTPStatus.BAD_REQUEST
_TRANSIENT: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)
_SERVER_ERROR: Final = HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some objects of one kind, as they were at `resource_version`."""

    items: list[Mapping[str, Any]]
    resource_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchEvent:
    """One line of a watch."""

    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    object: Mapping[str, Any]


def error_from(status: int, body: bytes, *, retry_after: str = "") -> errors.ApiError:
    """The error for an answer with that HTTP status."""
    try:
        answer = decoding.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        answer = {"message": body[:256].decode(errors="replace").strip()}
    return _error(status, answer, retry_after=retry_after)


def _error(status: int, answer: Mapping[str, Any], *, retry_after: str = "") -> errors.ApiError:
    reason = answer.get("reason") or ""
    message = answer.get("message") or f"HTTP {status}"
    if status == HTTPStatus.GONE or reason in {"Gone", "Expired"}:
        return errors.GoneError(message, code=status, reason=reason)
    if status in _TRANSIENT or status >= _SERVER_ERROR:
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        return errors.TransientError(message, code=status, reason=reason, retry_after_seconds=seconds)
    if status == HTTPStatus.NOT_FOUND:
        return errors.NotFoundError(message, code=status, reason=reason)
    if status == HTTPStatus.CONFLICT:
        kind = errors.AlreadyExistsError if reason == "AlreadyExists" else errors.ConflictError
        return kind(message, code=status, reason=reason)
    return errors.PermanentError(message, code=status, reason=reason)


async def parse_watch(chunks: AsyncIterable[bytes]) -> AsyncGenerator[WatchEvent, None]:
    """The events of a watch's body, however its lines are cut into chunks.

    Raises
    ------
    errors.ApiError
        When the API ends the watch with an ERROR event, GoneError among them.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if line:
                yield _event(line)
    if rest:
        yield _event(rest)


def _event(line: bytes) -> WatchEvent:
    try:
        parsed = decoding.loads(line)
    except orjson.JSONDecodeError as error:
        raise errors.TransientError(f"the watch broke off within a line: {error}") from error
    if parsed["type"] == "ERROR":
        raise _watch_error(parsed["object"])
    return WatchEvent(type=parsed["type"], object=parsed["object"])


def _watch_error(answer: Mapping[str, Any]) -> errors.ApiError:
    found = _error(answer.get("code") or _SERVER_ERROR, answer)
    if isinstance(found, errors.TransientError):
        return found
    # Whatever else ends a watch, the way on is to list again.
    return errors.GoneError(found.message, code=found.code, reason=found.reason)
