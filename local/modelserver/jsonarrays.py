"""Arrays from JSON values: nested lists, scalars and base64 objects.

Well-formed input takes a short way, where whole lists are checked at once. Whatever does not fit there goes the
long way, element by element in the original's order, which finds the words for what is wrong.
"""

import base64
import binascii
import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from local.modelserver import dtypes, errors, jsondocs, jsonoutput

_D = dtypes.DType
Array = npt.NDArray[np.generic] | npt.NDArray[np.object_]
"""The elements of a tensor; ``bytes`` objects for strings."""

MAX_RANK: Final = 63
"""The nesting that is read: one less than what numpy takes, for the rows. The original takes 254."""
_INT32_DTYPES: Final = frozenset({_D.INT32, _D.INT16, _D.INT8, _D.UINT8})
_RANGES: Final = {
    **dict.fromkeys(_INT32_DTYPES, (-(1 << 31), (1 << 31) - 1)),
    _D.INT64: (-(1 << 63), (1 << 63) - 1),
    _D.UINT32: (0, (1 << 32) - 1),
    _D.UINT64: (0, (1 << 64) - 1),
}
"""What a JSON integer may be; the small types are cut to their bits afterwards, as in the original."""
_EXACT_INTEGERS: Final = {_D.FLOAT: (1 << 24) - 1, _D.DOUBLE: (1 << 53) - 1}
_WITHOUT_SPACES: Final = str.maketrans("", "", " \t\n\v\f\r")
_FLOAT_LIMITS: Final = {_D.FLOAT: jsonoutput.FLOAT_MAX, _D.DOUBLE: float(np.finfo(np.float64).max)}


def is_base64(value: Any) -> bool:
    """Return whether a value is ``{"b64": "…"}``, a string in disguise."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def read(value: Any, dtype: int) -> Array:
    """Return a value as an array of a dtype, whatever its shape."""
    array = read_at_once(value, dtype) if isinstance(value, list) else None
    return read_slowly(value, dtype) if array is None else array


def read_at_once(value: list[Any], dtype: int) -> Array | None:
    """Return a regular list's array, or nothing where anything about it is not plain."""
    shape = [len(value)]
    flat = value
    while flat and type(flat[0]) is list:
        size = len(flat[0])
        if len(shape) == MAX_RANK:
            return None
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {size}:
            return None
        shape.append(size)
        flat = list(itertools.chain.from_iterable(flat))
    array = _convert(flat, dtype, set(map(type, flat)))
    return None if array is None else array.reshape(shape)


def _convert(flat: Sequence[Any], dtype: int, types: set[type]) -> Array | None:
    try:
        if dtype in _EXACT_INTEGERS and types <= {int, float}:
            return _convert_floats(np.array(flat, dtype=np.float64), _D(dtype), has_integers=int in types)
        if dtype in _RANGES and types <= {int}:
            return _convert_integers(flat, _D(dtype))
        if dtype == _D.BOOL and types <= {bool}:
            return np.array(flat, dtype=np.bool_)
        if dtype == _D.STRING and types <= {str}:
            return _objects([text.encode("utf-8", "surrogateescape") for text in flat])
    except (OverflowError, UnicodeEncodeError):
        return None
    return None


def _convert_floats(
    array: npt.NDArray[np.float64], dtype: dtypes.DType, *, has_integers: bool
) -> Array | None:
    magnitudes = np.abs(array)
    limit = _EXACT_INTEGERS[dtype] if has_integers else _FLOAT_LIMITS[dtype]
    if bool(np.any((magnitudes > limit) & np.isfinite(array))):
        return None
    return array.astype(dtypes.NUMPY[dtype])


def _convert_integers(flat: Sequence[int], dtype: dtypes.DType) -> Array | None:
    array = np.array(flat, dtype=np.uint64 if dtype is _D.UINT64 else np.int64)
    low, high = _RANGES[dtype]
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        return None
    return array.astype(dtypes.NUMPY[dtype])


def _objects(values: Sequence[bytes]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def read_slowly(value: Any, dtype: int) -> Array:
    """Return a value as an array, or raise what the original says is wrong with it."""
    shape: list[int] = []
    nested = value
    while isinstance(nested, list):
        shape.append(len(nested))
        if not nested:
            break
        if len(shape) > MAX_RANK:
            raise errors.invalid_argument(f"tensor parsing error: more than {MAX_RANK} dimensions")
        nested = nested[0]
    elements: list[Any] = []
    _collect(value, 0, shape, dtype, elements)
    if dtype == _D.STRING:
        return _objects(elements).reshape(shape)
    wide = np.array(elements, dtype=np.float64 if dtype in _EXACT_INTEGERS else None)
    return wide.astype(dtypes.NUMPY[_D(dtype)]).reshape(shape)


def _collect(value: Any, level: int, shape: Sequence[int], dtype: int, elements: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise errors.invalid_argument(
                f"JSON Value: {jsondocs.quoted(value)} found at incorrect level: {level + 1} in the JSON DOM."
                f" Expected at level: {len(shape)}"
            )
        elements.append(_element(value, dtype))
        return
    if level >= len(shape):
        raise errors.invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise errors.invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, dtype, elements)


def _element(value: Any, dtype: int) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, dict) and dtype == _D.STRING:
        return from_base64(value)
    if dtype in _EXACT_INTEGERS and is_number:
        return _number(value, _D(dtype))
    if dtype in _RANGES and isinstance(value, int) and is_number:
        low, high = _RANGES[_D(dtype)]
        if low <= value <= high:
            return value
    elif (dtype == _D.BOOL and isinstance(value, bool)) or (dtype == _D.STRING and isinstance(value, str)):
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    elif (
        dtype not in _EXACT_INTEGERS | _RANGES
        and dtype not in {_D.BOOL, _D.STRING}
        and not isinstance(value, dict)
    ):
        raise errors.ServingError(
            errors.Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {jsondocs.quoted(value)} to type: {dtypes.dtype_name(dtype)}",
        )
    raise errors.invalid_argument(
        f"JSON Value: {jsondocs.quoted(value)} Type: {jsondocs.type_name(value)} is not of expected type:"
        f" {dtypes.dtype_name(dtype)}"
    )


def _number(value: float, dtype: dtypes.DType) -> float:
    # An integer beyond 64 bits is a floating-point number to the original's parser.
    is_integer = isinstance(value, int) and -(1 << 63) <= value < 1 << 64
    limit = _EXACT_INTEGERS[dtype] if is_integer else _FLOAT_LIMITS[dtype]
    if np.isfinite(float(value)) and abs(value) > limit:
        raise errors.invalid_argument(
            f"Cannot convert JSON value: {jsondocs.quoted(value)} to {dtypes.dtype_name(dtype)} without loss of precision."
        )
    return float(value)


def from_base64(value: dict[str, Any]) -> bytes:
    """Return the bytes of ``{"b64": "…"}``."""
    if not is_base64(value):
        raise errors.invalid_argument(
            f"JSON Value: {jsondocs.quoted(value)} not formatted correctly for base64 data"
        )
    text = value["b64"].translate(_WITHOUT_SPACES)
    digits = text.rstrip("=.")
    padding, wanted = len(text) - len(digits), -len(digits) % 4
    problem = errors.invalid_argument("Unable to base64 decode")
    if padding not in {0, wanted}:
        raise problem
    try:
        return base64.b64decode(digits + "=" * wanted, validate=True)
    except (binascii.Error, ValueError) as error:
        raise problem from error
