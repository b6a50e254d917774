"""Predict requests: the tensors of a JSON document.

Well-formed input takes a short way, where whole lists are checked at once. Whatever does not fit there goes the
long way, element by element in the original's order, which finds the words for what is wrong.
"""

import base64
import binascii
import enum
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from local.modelserver import dtypes, errors, jsondocs, jsonoutput, savedmodel, tensors

_D = dtypes.DType
Array = npt.NDArray[np.generic] | npt.NDArray[np.object_]


class Format(enum.Enum):
    """How a request lays out its tensors; the answer is laid out alike."""

    ROW = "instances"
    COLUMNAR = "inputs"


_INT32_DTYPES: Final = frozenset({_D.INT32, _D.INT16, _D.INT8, _D.UINT8})
_RANGES: Final = {
    **dict.fromkeys(_INT32_DTYPES, (-(1 << 31), (1 << 31) - 1)),
    _D.INT64: (-(1 << 63), (1 << 63) - 1),
    _D.UINT32: (0, (1 << 32) - 1),
    _D.UINT64: (0, (1 << 64) - 1),
}
"""What a JSON integer may be; the small types are cut to their bits afterwards, as in the original."""
_EXACT_INTEGERS: Final = {_D.FLOAT: (1 << 24) - 1, _D.DOUBLE: (1 << 53) - 1}
_FLOAT_LIMITS: Final = {_D.FLOAT: jsonoutput.FLOAT_MAX, _D.DOUBLE: float(np.finfo(np.float64).max)}


def read_signature_name(document: Mapping[str, Any]) -> str:
    """Return the signature that a request names, or the empty string."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise errors.invalid_argument(
            f"JSON Value: {jsondocs.quoted(document)} not formatted correctly."
            " 'signature_name' key must be a string value."
        )
    return name


def read_tensors(
    document: Mapping[str, Any], signature: savedmodel.Signature
) -> tuple[Format, dict[str, tensors.Tensor]]:
    """Return the layout and the input tensors of a request."""
    if "instances" in document:
        instances = document["instances"]
        problem = None
        if "inputs" in document:
            problem = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        elif not isinstance(instances, list):
            problem = "Excepting 'instances' to be an list/array"
        elif not instances:
            problem = "No values in 'instances' array"
        if problem:
            raise errors.invalid_argument(f"JSON Value: {jsondocs.quoted(document)} {problem}")
        return Format.ROW, _read_rows(instances, signature.inputs)
    if "inputs" in document:
        return Format.COLUMNAR, _read_columns(document["inputs"], signature.inputs)
    raise errors.invalid_argument("Missing 'inputs' or 'instances' key")


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _tensor(info: savedmodel.TensorInfo, array: Array) -> tensors.Tensor:
    return tensors.Tensor(dtype=_D(info.dtype), array=array)


def _read_rows(instances: list[Any], infos: Mapping[str, savedmodel.TensorInfo]) -> dict[str, tensors.Tensor]:
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise errors.invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    are_named = _is_named(instances[0])
    if are_named:
        are_regular = all(type(row) is dict and row.keys() == infos.keys() for row in instances)
        columns = {name: [row[name] for row in instances] for name in infos} if are_regular else {}
    else:
        columns = {name: instances for name in itertools.islice(infos, 1)}
    read = {}
    for name, column in columns.items():
        array = _read_at_once(column, infos[name].dtype)
        if array is None:
            break
        read[name] = _tensor(infos[name], array)
    if len(read) == len(infos):
        return read
    return _read_rows_slowly(instances, infos, are_named=are_named)


def _read_rows_slowly(
    instances: list[Any], infos: Mapping[str, savedmodel.TensorInfo], *, are_named: bool
) -> dict[str, tensors.Tensor]:
    rows: dict[str, list[Array]] = {}
    for number, row in enumerate(instances):
        if are_named != _is_named(row):
            raise errors.invalid_argument(
                f"Expecting object but got list at item {number} of input list"
                if are_named
                else f"Expecting value/list but got object at item {number} of input list"
            )
        for name, value in row.items() if are_named else ((next(iter(infos)), row),):
            try:
                _add_row(rows.setdefault(name, []), value, name, infos)
            except errors.ServingError as error:
                key = f" key: {name}" if are_named else ""
                raise errors.invalid_argument(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error.status_text}"
                ) from error
        if are_named and row.keys() != infos.keys():
            raise errors.invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: {jsondocs.quoted(row)}"
                f" keys must be equal to: {','.join(infos)}"
            )
    return {name: _tensor(infos[name], np.stack(rows[name])) for name in infos}


def _add_row(rows: list[Array], value: Any, name: str, infos: Mapping[str, savedmodel.TensorInfo]) -> None:
    if name not in infos:
        raise errors.invalid_argument(f"JSON object: does not have named input: {name}")
    array = _read_slowly(value, infos[name].dtype)
    if rows and rows[0].size != array.size:
        raise errors.invalid_argument(f"Expecting tensor size: {rows[0].size} but got: {array.size}")
    if rows and rows[0].shape != array.shape:
        want, got = (f"[{','.join(map(str, shape))}]" for shape in (rows[0].shape, array.shape))
        raise errors.invalid_argument(f"Expecting shape {want} but got: {got}")
    rows.append(array)


def _read_columns(inputs: Any, infos: Mapping[str, savedmodel.TensorInfo]) -> dict[str, tensors.Tensor]:
    if _is_named(inputs):
        read = {}
        for name, info in infos.items():
            if name not in inputs:
                raise errors.invalid_argument(f"Missing named input: {name} in 'inputs' object.")
            read[name] = _tensor(info, _read(inputs[name], info.dtype))
        return read
    if len(infos) > 1:
        raise errors.invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
            " tensorinfo_map"
        )
    ((name, info),) = infos.items()
    return {name: _tensor(info, _read(inputs, info.dtype))}


def _read(value: Any, dtype: int) -> Array:
    array = _read_at_once(value, dtype) if isinstance(value, list) else None
    return _read_slowly(value, dtype) if array is None else array


def _read_at_once(value: list[Any], dtype: int) -> Array | None:
    """Return a regular list's array, or nothing where anything about it is not plain."""
    shape = [len(value)]
    flat = value
    while flat and type(flat[0]) is list:
        size = len(flat[0])
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


def _convert_floats(array: npt.NDArray[np.float64], dtype: dtypes.DType, *, has_integers: bool) -> Array | None:
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


def _read_slowly(value: Any, dtype: int) -> Array:
    shape: list[int] = []
    nested = value
    while isinstance(nested, list):
        shape.append(len(nested))
        if not nested:
            break
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
        raise errors.invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise errors.invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, dtype, elements)


def _element(value: Any, dtype: int) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, dict) and dtype == _D.STRING:
        return _from_base64(value)
    if dtype in _EXACT_INTEGERS and is_number:
        return _number(value, _D(dtype))
    if dtype in _RANGES and isinstance(value, int) and is_number:
        low, high = _RANGES[_D(dtype)]
        if low <= value <= high:
            return value
    elif (dtype == _D.BOOL and isinstance(value, bool)) or (dtype == _D.STRING and isinstance(value, str)):
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    elif dtype not in _EXACT_INTEGERS | _RANGES and dtype not in {_D.BOOL, _D.STRING} and not isinstance(value, dict):
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


def _from_base64(value: dict[str, Any]) -> bytes:
    if not _is_base64(value):
        raise errors.invalid_argument(f"JSON Value: {jsondocs.quoted(value)} not formatted correctly for base64 data")
    text = value["b64"].rstrip("=.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.invalid_argument("Unable to base64 decode") from error
