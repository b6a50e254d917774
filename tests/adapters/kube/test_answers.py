from collections.abc import AsyncIterator

import orjson
import pytest

from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import answers


async def cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def line(type_: str, **content: object) -> bytes:
    return orjson.dumps({"type": type_, "object": content}) + b"\n"


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
async def test_events_are_read_however_their_lines_are_cut(size: int) -> None:
    body = line("ADDED", name="a") + line("MODIFIED", name="ä" * 50) + line("BOOKMARK", name="")
    events = [event async for event in answers.parse_watch(cut(body, size))]
    assert [(e.type, e.object["name"]) for e in events] == [
        ("ADDED", "a"),
        ("MODIFIED", "ä" * 50),
        ("BOOKMARK", ""),
    ]


async def test_a_watch_that_breaks_off_within_a_line_is_transient() -> None:
    with pytest.raises(errors.TransientError):
        async for _ in answers.parse_watch(cut(line("ADDED", name="a")[:-5], 4)):
            pass


async def test_an_expired_watch_is_gone() -> None:
    body = line("ERROR", kind="Status", code=410, reason="Expired", message="too old resource version")
    with pytest.raises(errors.GoneError, match="too old"):
        async for _ in answers.parse_watch(cut(body, 1000)):
            pass


@pytest.mark.parametrize(
    ("status", "reason", "want"),
    [
        (400, "BadRequest", errors.PermanentError),
        (401, "Unauthorized", errors.TransientError),
        (403, "Forbidden", errors.PermanentError),
        (404, "NotFound", errors.NotFoundError),
        (409, "AlreadyExists", errors.AlreadyExistsError),
        (409, "Conflict", errors.ConflictError),
        (410, "Gone", errors.GoneError),
        (422, "Invalid", errors.PermanentError),
        (429, "TooManyRequests", errors.TransientError),
        (500, "InternalError", errors.TransientError),
        (504, "Timeout", errors.TransientError),
    ],
)
def test_each_refusal_has_its_class(status: int, reason: str, want: type[errors.ApiError]) -> None:
    body = orjson.dumps({"kind": "Status", "reason": reason, "message": "words"})
    error = answers.error_from(status, body, retry_after="3")
    assert type(error) is want
    assert (error.code, error.reason, error.message) == (status, reason, "words")
    if isinstance(error, errors.TransientError) and not isinstance(error, errors.GoneError):
        assert error.retry_after_seconds == 3.0


def test_an_answer_that_is_no_status_keeps_only_its_beginning() -> None:
    error = answers.error_from(502, b"<html>" + b"x" * 10_000)
    assert len(error.message) <= 256
