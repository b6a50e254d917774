"""Tensors from and to ``TensorProto``, as the C++ runtime's ``FromProto`` and ``AsProtoField`` convert them."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from local.modelserver import dtypes, tensors

_D = dtypes.DType
_MAX_RANK: Final = 254
_INT64_MAX: Final = (1 << 63) - 1
_FIELDS: Final = {
    _D.FLOAT: "float_val",
    _D.DOUBLE: "double_val",
    _D.INT64: "int64_val",
    _D.BOOL: "bool_val",
    **dict.fromkeys((_D.INT32, _D.INT16, _D.INT8, _D.UINT8, _D.UINT16), "int_val"),
    **dict.fromkeys((_D.QINT8, _D.QUINT8, _D.QINT16, _D.QUINT16, _D.QINT32), "int_val"),
    _D.UINT32: "uint32_val",
    _D.UINT64: "uint64_val",
    _D.HALF: "half_val",
    _D.BFLOAT16: "half_val",
    _D.COMPLEX64: "scomplex_val",
    _D.COMPLEX128: "dcomplex_val",
    _D.STRING: "string_val",
}
"""Where a proto keeps the elements of each type."""
_FIELD_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "int_val": np.dtype(np.int64),
    "half_val": np.dtype(np.int64),
    "scomplex_val": np.dtype(np.float32),
    "dcomplex_val": np.dtype(np.float64),
}
"""What a field's values are read as, where that is not the element type itself."""
_PACKED: Final = {_D.FLOAT: 5, _D.DOUBLE: 6, _D.COMPLEX64: 9, _D.COMPLEX128: 12}
"""Fields whose packed wire form is the array's own memory, by their numbers."""


class UnreadableError(Exception):
    """A proto that is no tensor; the original tells no more than the input's name."""


def from_proto(proto: Any) -> tensors.Tensor:
    """Return the tensor that a proto holds.

    With fewer values than elements the last value stands for the rest; with none, zeros do. What is too much is
    ignored.

    Raises
    ------
    UnreadableError
        The type or the shape is invalid, the content is of another size, or the memory does not suffice.
    """
    shape = _shape(proto.tensor_shape)
    count = math.prod(shape)
    if proto.dtype not in _FIELDS or count > _INT64_MAX:
        raise UnreadableError
    dtype = _D(proto.dtype)
    try:
        if count and proto.tensor_content:
            flat = _from_content(proto.tensor_content, dtype, count)
        else:
            flat = _from_field(getattr(proto, _FIELDS[dtype]), dtype, count)
    except (MemoryError, ValueError) as error:
        raise UnreadableError from error
    return tensors.Tensor(dtype=dtype, array=flat.reshape(shape))


def _shape(proto: Any) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.dim)
    if proto.unknown_rank or len(shape) > _MAX_RANK or min(shape, default=0) < 0:
        raise UnreadableError
    return shape


def _from_content(content: bytes, dtype: dtypes.DType, count: int) -> npt.NDArray[Any]:
    if dtype is _D.STRING:
        return _strings(_decode_strings(content, count))
    kind = dtypes.NUMPY[dtype]
    if len(content) != count * kind.itemsize:
        raise UnreadableError
    return np.frombuffer(content, dtype=kind)


def _decode_strings(content: bytes, count: int) -> list[bytes]:
    """Read the lengths as varints, then the strings without gaps."""
    sizes = []
    place = 0
    for _ in range(count):
        size = shift = 0
        while True:
            if place >= len(content):
                raise UnreadableError
            byte = content[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        sizes.append(size)
    if sum(sizes) != len(content) - place:
        raise UnreadableError
    strings = []
    for size in sizes:
        strings.append(content[place : place + size])
        place += size
    return strings


def _strings(values: list[bytes]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def _from_field(field: Any, dtype: dtypes.DType, count: int) -> npt.NDArray[Any]:
    if dtype is _D.STRING:
        given = list(field[:count])
        rest = given[-1] if given else b""
        return _strings(given + [rest] * (count - len(given)))
    kind: np.dtype[Any] = dtypes.NUMPY[dtype]
    values: npt.NDArray[Any] = np.array(field, dtype=_FIELD_DTYPES.get(_FIELDS[dtype], kind))
    if kind.kind == "c":
        values = values[: values.size // 2 * 2].view(kind)
    elif dtype is _D.HALF:
        values = values.astype(np.uint16).view(kind)
    else:
        values = values.astype(kind, copy=False)  # small integers are cut to their bits, as in C++
    if values.size >= count:
        return values[:count]
    full: npt.NDArray[Any] = np.full(count, values[-1] if values.size else 0, dtype=kind)
    full[: values.size] = values
    return full


def fill(proto: Any, tensor: tensors.Tensor, *, as_content: bool = False) -> None:
    """Write a tensor into an empty proto: every element in the field of its type, or all as they lie in memory."""
    array = tensor.array
    proto.dtype = tensor.dtype
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if not array.size:
        return
    if as_content:
        proto.tensor_content = _content(tensor)
        return
    if tensor.dtype in _PACKED:
        data = np.ascontiguousarray(array).tobytes()
        # A million numbers in a millisecond; one by one they would take a hundred times as long.
        proto.MergeFromString(_varint(_PACKED[tensor.dtype] << 3 | 2) + _varint(len(data)) + data)
        return
    flat = array.ravel()
    if tensor.dtype is _D.HALF:
        flat = flat.view(np.uint16)
    getattr(proto, _FIELDS[tensor.dtype]).extend(flat.tolist())


def _content(tensor: tensors.Tensor) -> bytes:
    if tensor.dtype is _D.STRING:
        values = tensor.array.ravel().tolist()
        return b"".join((*(_varint(len(value)) for value in values), *values))
    return np.ascontiguousarray(tensor.array).tobytes()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
