"""What a model server answered: its JSON as arrays by output name, or what went wrong instead."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
import orjson

ONLY_OUTPUT: Final = ""
"""The name of an answer's only output: TensorFlow Serving leaves it out."""
_OK: Final = 200
_FLOAT32_SAFE: Final = 1e30
_ERROR_CHARACTERS: Final = 1024

Outputs = Mapping[str, np.ndarray[Any, Any]]


class Trouble(StrEnum):
    """Why there is no answer of the model's at all."""

    Unreachable = "Unreachable"
    """means no connection: refused, no route, or no answer to the connection in time"""
    Closed = "Closed"
    """means the connection ended before the answer did"""
    TimedOut = "TimedOut"
    """means connected, and no whole answer in time"""
    TooLarge = "TooLarge"
    """means more bytes than are read"""
    Foreign = "Foreign"
    """means something answered that is not TensorFlow Serving: a proxy, a redirect, a web page"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one request: outputs, an error of the server's, or trouble on the way."""

    status: int = 0
    """HTTP status; 0 without an HTTP answer."""
    outputs: Outputs = field(default_factory=dict)
    by_row: bool = False
    """Whether it came in row form: the first axis of every output is the row."""
    error: str = ""
    """TensorFlow Serving's own message."""
    trouble: Trouble | None = None
    detail: str = ""
    """About the trouble."""

    @property
    def succeeded(self) -> bool:
        """Whether there are outputs."""
        return self.trouble is None and self.status == _OK

    @property
    def size(self) -> int:
        """Bytes of the outputs."""
        return sum(array.nbytes for array in self.outputs.values())


class _NotAnAnswerError(ValueError):
    pass


def read(status: int, body: bytes | bytearray) -> Answer:
    """Read an HTTP answer to a predict request; never raises, whatever the body holds.

    Parsing takes about 10 ms for each megabyte, and ten times the body's memory: call it off the event loop for large
    bodies, and in a process of its own for those of many megabytes.
    """
    try:
        raw = _load(body)
        if status == _OK:
            return _read_outputs(raw)
        error = raw["error"]
        if not isinstance(error, str):
            raise _NotAnAnswerError("its error is not a string")
        return Answer(status=status, error=error[:_ERROR_CHARACTERS])
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        start = body[:80].decode("utf-8", "replace")
        reason = error if isinstance(error, _NotAnAnswerError) else "no JSON of TensorFlow Serving's"
        detail = f"HTTP {status} with {reason}: {start!r}"
        return Answer(status=status, trouble=Trouble.Foreign, detail=detail)


def load_json(body: bytes | bytearray) -> Any:
    """Parse JSON that may hold bare NaN and Infinity, and which may be followed by garbage that is refused."""
    return _load(body)


def _load(body: bytes | bytearray) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)  # slower, and takes NaN, Infinity and -Infinity


def _read_outputs(raw: Any) -> Answer:
    if not isinstance(raw, dict):
        raise _NotAnAnswerError("no object")
    if "predictions" in raw:
        return Answer(status=_OK, outputs=_from_rows(raw["predictions"]), by_row=True)
    if "outputs" in raw:
        found = raw["outputs"]
        named = found if isinstance(found, dict) and not _is_bytes(found) else {ONLY_OUTPUT: found}
        return Answer(status=_OK, outputs={name: _to_array(values) for name, values in named.items()})
    raise _NotAnAnswerError("neither predictions nor outputs")


def _from_rows(rows: Any) -> Outputs:
    if not isinstance(rows, list):
        raise _NotAnAnswerError("predictions that are no list")
    if rows and isinstance(rows[0], dict) and not _is_bytes(rows[0]):
        return {name: _to_array([row[name] for row in rows]) for name in rows[0]}
    return {ONLY_OUTPUT: _to_array(rows)}


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _to_array(values: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise _NotAnAnswerError("an output whose rows differ in shape") from None
    if array.dtype == object:
        array = np.asarray(_plain(values))
    if array.dtype.kind not in "fiubU":
        raise _NotAnAnswerError("an output that is neither numbers nor strings")
    if array.dtype.kind != "f":
        return array
    # Half the memory. Values that float32 cannot hold stay as they are: they must not turn into Infinity here.
    finite = np.abs(array[np.isfinite(array)])
    return array.astype(np.float32) if not finite.size or finite.max() < _FLOAT32_SAFE else array


def _plain(values: Any) -> Any:
    """Strings that came as {"b64": …} as those strings."""
    if isinstance(values, dict):
        if not _is_bytes(values) or not isinstance(values["b64"], str):
            raise _NotAnAnswerError("an object within an output")
        return values["b64"]
    return [_plain(value) for value in values] if isinstance(values, list) else values


def rows_of(array: np.ndarray[Any, Any], row_count: int) -> Sequence[np.ndarray[Any, Any]]:
    """One flat vector for each row that was sent; an output that is not batch-first counts as one row."""
    if array.ndim and array.shape[0] == row_count:
        return list(array.reshape(row_count, -1))
    return [array.reshape(-1)]
