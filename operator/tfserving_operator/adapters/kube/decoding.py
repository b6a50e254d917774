"""JSON of the API, however deeply users have nested what their objects carry.

The API server stores untyped fields of up to 10,000 levels, and Python's parsers stop at about 1,000: one object
that nobody can read would take every list and watch, and with them the operator, away from everybody else.
"""

import re
from typing import Any, Final

import orjson

MOST_LEVELS: Final = 200
"""What is nested more deeply is read as null. Objects of Kubernetes have some 30 levels, tensors at most 64."""
_NULL: Final = b"null"
_OPENING: Final = (b"[", b"{")
_CLOSING: Final = (b"]", b"}")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def loads(data: bytes) -> Any:
    """Parse JSON whose deepest levels may be missing.

    Raises
    ------
    orjson.JSONDecodeError
        When it is no JSON.
    """
    try:
        return _parse(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return orjson.loads(_prune(data))


def shallow(data: bytes) -> bytes:
    """The same JSON for other parsers, its deepest levels left out; what is no JSON stays so."""
    if not _may_be_deep(data):
        return data
    try:
        _parse(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _prune(data)
    return data


def _may_be_deep(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > MOST_LEVELS


def _parse(data: bytes) -> Any:
    parsed = orjson.loads(data)
    if _may_be_deep(data):
        orjson.dumps(parsed)  # the quickest way to tell: it refuses more than 254 levels
    return parsed


def _prune(data: bytes) -> bytes:
    """Put null in the place of what is nested too deeply."""
    kept: list[bytes] = []
    level = copied = opened_at = 0
    for token in _TOKEN.finditer(data):
        if token[0] in _OPENING:
            level += 1
            if level == MOST_LEVELS + 1:
                opened_at = token.start()
        elif token[0] in _CLOSING:
            if level == MOST_LEVELS + 1:
                kept += [data[copied:opened_at], _NULL]
                copied = token.end()
            level -= 1
    return b"".join([*kept, data[copied:]])
