"""Tensors as the JSON that the original's writer makes of them."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from local.modelserver import dtypes, errors, tensors

FLOAT_MAX: Final = float(np.finfo(np.float32).max)
"""The largest finite value of a float32."""
_BYTES_SUFFIX: Final = "_bytes"
_ESCAPES: Final = {
    **{code: f"\\u{code:04X}" for code in range(0x20)},
    **{ord(raw): f"\\{short}" for raw, short in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)},
}
_INDENT: Final = "    "
_INTEGERS: Final = frozenset(
    {
        *(dtypes.DType.INT32, dtypes.DType.INT16, dtypes.DType.INT8, dtypes.DType.UINT8),
        *(dtypes.DType.INT64, dtypes.DType.UINT32, dtypes.DType.UINT64),
    }
)


def quote(text: str) -> str:
    """Return a JSON string; other than quotes, backslashes and control characters nothing is escaped."""
    return f'"{text.translate(_ESCAPES)}"'


def decimal_text(value: float, *, is_single: bool) -> str:
    """Return a number with six digits where they are enough, else with as many as its type may need."""
    kind = np.float32 if is_single else np.float64
    return _decimals(np.array([value], dtype=kind))[0]


def _decimals(array: np.ndarray[Any, Any]) -> list[str]:
    values = array.ravel().tolist()
    texts = (
        "%.6g " * len(values) % tuple(values)
    ).split()  # one call, several times faster than one for each
    with np.errstate(over="ignore"):
        read_back = np.array(list(map(float, texts)), dtype=np.float64).astype(array.dtype)
    digits = 9 if array.dtype == np.float32 else 17
    for i in np.flatnonzero(read_back != array.ravel()).tolist():
        texts[i] = f"{values[i]:.{digits}g}"
    return [text if "." in text or "e" in text else _complete(text) for text in texts]


def _complete(text: str) -> str:
    match text:
        case "nan" | "-nan":
            return "NaN"
        case "inf":
            return "Infinity"
        case "-inf":
            return "-Infinity"
        case _:
            return f"{text}.0"


def error_body(message: str) -> bytes:
    """Return the body of a failed call."""
    return encode(f'{{\n{_INDENT}"error": {quote(message)}\n}}')


def encode(text: str) -> bytes:
    """Return the bytes of a document; those that were no UTF-8 go out as they came in."""
    return text.encode("utf-8", "surrogateescape")


def row_body(outputs: Mapping[str, tensors.Tensor]) -> bytes:
    """Return ``{"predictions": […]}``: one element for each row of the batch."""
    _check_batch_size(outputs)
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        items = ", ".join(_items(name, tensor, depth=2))
        inner = f"{items}\n{_INDENT}"
    else:
        columns = [
            [f"{_INDENT * 3}{quote(name)}: {item}" for item in _items(name, tensor, depth=3)]
            for name, tensor in outputs.items()
        ]
        objects = [
            f"\n{_INDENT * 2}{{\n" + ",\n".join(row) + f"\n{_INDENT * 2}}}"
            for row in zip(*columns, strict=True)
        ]
        inner = ",".join(objects) + f"\n{_INDENT}"
    return encode(f'{{\n{_INDENT}"predictions": [{inner}]\n}}')


def _check_batch_size(outputs: Mapping[str, tensors.Tensor]) -> None:
    batch_size = 0
    for name, tensor in outputs.items():
        if tensor.array.ndim == 0:
            raise errors.invalid_argument(f"Tensor name: {name} has no shape information ")
        size = tensor.array.shape[0]
        if size < 1:
            raise errors.invalid_argument(f"Tensor name: {name} has invalid batch size: {size}")
        if batch_size not in {0, size}:
            raise errors.invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {size} expecting: {batch_size}"
            )
        batch_size = size


def column_body(outputs: Mapping[str, tensors.Tensor]) -> bytes:
    """Return ``{"outputs": …}``: the tensor, or an object of tensors by name."""
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        return encode(f'{{\n{_INDENT}"outputs": {_whole(name, tensor, depth=1)}\n}}')
    members = [
        f"{_INDENT * 2}{quote(name)}: {_whole(name, tensor, depth=2)}" for name, tensor in outputs.items()
    ]
    return encode(f'{{\n{_INDENT}"outputs": {{\n' + ",\n".join(members) + f"\n{_INDENT}}}\n}}")


def _items(name: str, tensor: tensors.Tensor, *, depth: int) -> list[str]:
    """Return each row on one line; `depth` is how many brackets are open around it."""
    shape = tensor.array.shape
    texts = _elements(name, tensor, depth=depth + len(shape) - 1)
    for axis in range(len(shape) - 1, 0, -1):
        texts = [f"[{', '.join(group)}]" for group in _groups(texts, shape, axis)]
    return texts


def _whole(name: str, tensor: tensors.Tensor, *, depth: int) -> str:
    """Return the tensor with every element on a line of its own."""
    shape = tensor.array.shape
    texts = _elements(name, tensor, depth=depth + len(shape))
    for axis in range(len(shape) - 1, -1, -1):
        outer, inner = f"\n{_INDENT * (depth + axis)}", f"\n{_INDENT * (depth + axis + 1)}"
        texts = [
            f"[{inner}{f',{inner}'.join(group)}{outer}]" if group else "[]"
            for group in _groups(texts, shape, axis)
        ]
    return texts[0]


def _groups(texts: Sequence[str], shape: tuple[int, ...], axis: int) -> list[Sequence[str]]:
    size = shape[axis]
    return [texts[i * size : (i + 1) * size] for i in range(math.prod(shape[:axis]))]


def _elements(name: str, tensor: tensors.Tensor, *, depth: int) -> list[str]:
    array = tensor.array
    if array.size == 0:
        return []
    match tensor.dtype:
        case dtypes.DType.FLOAT | dtypes.DType.DOUBLE:
            return _decimals(array)
        case dtypes.DType.BOOL:
            return ["true" if value else "false" for value in array.ravel().tolist()]
        case dtypes.DType.STRING if name.endswith(_BYTES_SUFFIX):
            return [_base64(value, depth) for value in array.ravel().tolist()]
        case dtypes.DType.STRING:
            return [quote(value.decode("utf-8", "surrogateescape")) for value in array.ravel().tolist()]
        case dtype if dtype in _INTEGERS:
            return list(map(str, array.ravel().tolist()))
        case dtype:
            raise errors.invalid_argument(
                f"Failed to write JSON value for tensor type: {dtypes.dtype_name(dtype)}"
            )


def _base64(value: bytes, depth: int) -> str:
    encoded = base64.b64encode(value).decode()
    return f'{{\n{_INDENT * (depth + 1)}"b64": "{encoded}"\n{_INDENT * depth}}}'
