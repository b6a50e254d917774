"""What the API answered: error classes for its refusals, events of a watch for its lines."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tfserving_operator.adapters import errors

HTTP_ERROR: Final = 400
_TRANSIENT: Final = frozenset({401, 408, 429})
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """All objects of one kind, as they were at `resource_version`."""

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
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        answer = {"message": body[:256].decode(errors="replace").strip()}
    return _error(status, answer, retry_after=retry_after)


def _error(status: int, answer: Mapping[str, Any], *, retry_after: str = "") -> errors.ApiError:
    reason = answer.get("reason") or ""
    message = answer.get("message") or f"HTTP {status}"
    if status == 410 or reason in {"Gone", "Expired"}:  # noqa: PLR2004
        return errors.GoneError(message, code=status, reason=reason)
    if status in _TRANSIENT or status >= _SERVER_ERROR:
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        return errors.TransientError(message, code=status, reason=reason, retry_after_seconds=seconds)
    match status:
        case 404:
            return errors.NotFoundError(message, code=status, reason=reason)
        case 409 if reason == "AlreadyExists":
            return errors.AlreadyExistsError(message, code=status, reason=reason)
        case 409:
            return errors.ConflictError(message, code=status, reason=reason)
    return errors.PermanentError(message, code=status, reason=reason)


async def parse_watch(chunks: AsyncIterator[bytes]) -> AsyncIterator[WatchEvent]:
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
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise errors.TransientError(f"the watch broke off within a line: {error}") from error
    if parsed["type"] == "ERROR":
        status = parsed["object"]
        error = _error(status.get("code") or _SERVER_ERROR, status)
        if not isinstance(error, errors.TransientError):
            # Whatever ends a watch, the way on is to list again.
            error = errors.GoneError(error.message, code=error.code, reason=error.reason)
        raise error
    return WatchEvent(type=parsed["type"], object=parsed["object"])
