"""Cases as JSON: the body of a request, and the digest of a row.

Large arrays are written in pieces: one call for a megabyte would hold the interpreter for tens of milliseconds, in
whichever thread it is made.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from tfserving_operator.core.smoke import cases

_ORJSON: int = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_PIECE: Final = 65_536
"""Values of an array that are written at once: about 2 ms."""


def body(case: cases.Case, signature_name: str) -> bytes:
    """Write the body of a predict request: a user's rows as they stand, made ones from their arrays.

    Takes about 10 ms for each megabyte: call it off the event loop for large cases.
    """
    return _write({"signature_name": signature_name, **case.payload})


def digest(value: Any) -> str:
    """Give equal keys to equal rows."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype.str}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif _holds_arrays(value) and isinstance(value, Mapping):
        for key in sorted(value, key=str):
            found.update(_dumps(str(key)))
            _feed(found, value[key])
    else:
        found.update(_write(value))


def _write(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        if value.ndim == 0 or value.size <= _PIECE or value.shape[0] == 0:
            return _dumps(value)
        if value.ndim == 1:
            parts = [_dumps(value[i : i + _PIECE])[1:-1] for i in range(0, len(value), _PIECE)]
        else:
            rows = max(1, _PIECE * len(value) // value.size)
            parts = [
                _write(value[i : i + rows])[1:-1] if rows > 1 else _write(value[i])
                for i in range(0, len(value), rows)
            ]
        return b"[" + b",".join(parts) + b"]"
    if not _holds_arrays(value):
        return _dumps(value)
    if isinstance(value, Mapping):
        members = sorted(((str(key), each) for key, each in value.items()), key=lambda member: member[0])
        return b"{" + b",".join(_dumps(str(key)) + b":" + _write(each) for key, each in members) + b"}"
    return b"[" + b",".join(_write(each) for each in value) + b"]"


def _holds_arrays(value: Any) -> bool:
    """Whether there are arrays within a mapping or a list of rows."""
    if isinstance(value, np.ndarray):
        return True
    if isinstance(value, Mapping):
        return any(_holds_arrays(each) for each in value.values())
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and isinstance(value[0], np.ndarray | Mapping)
        and (any(_holds_arrays(each) for each in value))
    )


def _dumps(value: Any) -> bytes:
    try:
        # orjson writes NaN and Infinity as null; the predict API takes them as bare words.
        text = orjson.dumps(value, option=_ORJSON)
        if b"null" not in text:
            return text
    except (TypeError, ValueError):
        pass  # an integer beyond 64 bits, an array that is not contiguous
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
