"""JSON documents as RapidJSON, the original's parser, reads and quotes them."""

import codecs
import re
from typing import Any, Final

import rapidjson

from local.modelserver import errors, jsonoutput

_PARSE_ERROR: Final = re.compile(r"Parse error at offset (\d+): (.*)", re.DOTALL)
_HUGE_INTEGER: Final = re.compile(rb"-?\d{309,}")
_TRAILING_GARBAGE: Final = "The document root must not be followed by other values."


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a request's body; what follows the first value is ignored.

    NaN, Infinity and -Infinity are numbers. Bytes that are not UTF-8 become surrogates, to be written as they came.
    """
    if not body:
        raise errors.invalid_argument("JSON Parse error: The document is empty")
    document = _parse(body.removeprefix(codecs.BOM_UTF8))
    if not isinstance(document, dict):
        raise errors.invalid_argument(f"JSON Value: {quoted(document)} Is not object")
    return document


def _parse(body: bytes) -> Any:
    try:
        return rapidjson.loads(body, number_mode=rapidjson.NM_NAN)
    except UnicodeDecodeError:
        # Only a stray byte leads here: rare, so the slower parser of the standard library may do it.
        return _parse_undecodable(body)
    except (
        rapidjson.JSONDecodeError,
        RecursionError,
    ) as error:  # the original's recursion has no limit of its own
        matched = _PARSE_ERROR.match(str(error))
        offset, reason = (int(matched[1]), matched[2]) if matched else (0, str(error))
    if reason == _TRAILING_GARBAGE and offset < len(body):
        return _parse(body[:offset])
    raise errors.invalid_argument(f"JSON Parse error: {reason} at offset: {offset}")


def number_too_big(body: bytes) -> errors.ServingError:
    """Build the error of an integer beyond every floating-point number, which only its conversion notices here."""
    found = _HUGE_INTEGER.search(body)
    offset = found.start() if found else 0
    return errors.invalid_argument(
        f"JSON Parse error: Number too big to be stored in double. at offset: {offset}"
    )


def _parse_undecodable(body: bytes) -> Any:
    import json  # noqa: PLC0415 - needed for broken input only

    try:
        return json.JSONDecoder(strict=False).raw_decode(body.decode("utf-8", "surrogateescape").lstrip())[0]
    except json.JSONDecodeError as error:
        raise errors.invalid_argument(f"JSON Parse error: Invalid value. at offset: {error.pos}") from error


def type_name(value: Any) -> str:
    """Return the name of a value's JSON type."""
    match value:
        case None:
            return "Null"
        case True:
            return "True"
        case False:
            return "False"
        case dict():
            return "Object"
        case list():
            return "Array"
        case str():
            return "String"
        case _:
            return "Number"


def quoted(value: Any) -> str:
    """Return a value as an error message shows it."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        value = float(value)  # which it is to the original's parser
    if isinstance(value, float):
        return jsonoutput.decimal_text(value, is_single=abs(value) <= jsonoutput.FLOAT_MAX)
    if isinstance(value, str):
        return jsonoutput.quote(value)
    return rapidjson.dumps(value, indent=4, ensure_ascii=False, number_mode=rapidjson.NM_NAN)
