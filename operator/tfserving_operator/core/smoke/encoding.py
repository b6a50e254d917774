"""Cases as JSON: the body of a request, and the digest of a row."""

import hashlib
import json
from typing import Any

import numpy as np
import orjson

from tfserving_operator.core.smoke import cases

_ORJSON: int = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def body(case: cases.Case, signature_name: str) -> bytes:
    """Write the body of a predict request: a user's rows as they stand, made ones from their arrays."""
    return _dumps({"signature_name": signature_name, **case.payload})


def digest(value: Any) -> str:
    """Give equal keys to equal rows."""
    return hashlib.sha256(_dumps(value)).hexdigest()


def _dumps(value: Any) -> bytes:
    try:
        # orjson writes NaN and Infinity as null; the predict API takes them as bare words.
        text = orjson.dumps(value, option=_ORJSON)
        if b"null" not in text:
            return text
    except (TypeError, ValueError):
        pass  # an integer beyond 64 bits, an array that is not contiguous
    return json.dumps(value, sort_keys=True, default=_plain).encode()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
