"""Tensors between numpy and the C++ runtime."""

import ctypes
import dataclasses
import math

import numpy as np
import numpy.typing as npt

from local.modelserver import capi, dtypes, errors


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A value in numpy's memory.

    Attributes
    ----------
    dtype
        TensorFlow's element type, which numpy's does not always tell.
    array
        The elements; ``bytes`` objects for strings, raw bits for bfloat16.
    """

    dtype: dtypes.DType
    array: npt.NDArray[np.generic] | npt.NDArray[np.object_]


def to_runtime(tensor: Tensor) -> int:
    """Copy a tensor into memory that the runtime owns and return its handle."""
    array = tensor.array
    if tensor.dtype is dtypes.DType.STRING:
        return _strings_to_runtime(array)
    array = np.ascontiguousarray(array, dtype=dtypes.NUMPY[tensor.dtype]).reshape(array.shape)
    handle = _allocate(tensor.dtype, array.shape, array.nbytes)
    if array.nbytes:
        ctypes.memmove(capi.call("TF_TensorData", handle), array.__array_interface__["data"][0], array.nbytes)
    return handle


def _allocate(dtype: dtypes.DType, shape: tuple[int, ...], size_bytes: int) -> int:
    dims = (ctypes.c_int64 * len(shape))(*shape)
    handle: int | None = capi.call("TF_AllocateTensor", dtype, dims, len(shape), size_bytes)
    if handle is None:
        shown = ",".join(map(str, shape))
        raise errors.ServingError(
            errors.Code.RESOURCE_EXHAUSTED,
            f"OOM when allocating tensor with shape[{shown}] and type {dtypes.dtype_name(dtype)}",
        )
    return handle


def _strings_to_runtime(array: npt.NDArray[np.object_] | npt.NDArray[np.generic]) -> int:
    handle = _allocate(dtypes.DType.STRING, array.shape, array.size * capi.TSTRING_BYTES)
    place = capi.call("TF_TensorData", handle) or 0
    for value in array.ravel().tolist():
        capi.call("TF_StringInit", place)
        capi.call("TF_StringCopy", place, value, len(value))
        place += capi.TSTRING_BYTES
    return handle


def from_runtime(handle: int) -> Tensor:
    """Copy a tensor of the runtime into numpy's memory; the handle stays the caller's."""
    number = capi.call("TF_TensorType", handle)
    shape = tuple(capi.call("TF_Dim", handle, i) for i in range(capi.call("TF_NumDims", handle)))
    if number == dtypes.DType.STRING:
        return Tensor(dtype=dtypes.DType.STRING, array=_strings_from_runtime(handle, shape))
    dtype = dtypes.DType(number)
    if dtype not in dtypes.NUMPY:
        raise errors.ServingError(
            errors.Code.UNIMPLEMENTED, f"Tensors of type {dtypes.dtype_name(number)} cannot be returned"
        )
    size_bytes = capi.call("TF_TensorByteSize", handle)
    array = np.empty(shape, dtype=dtypes.NUMPY[dtype])
    if size_bytes:
        ctypes.memmove(array.__array_interface__["data"][0], capi.call("TF_TensorData", handle), size_bytes)
    return Tensor(dtype=dtype, array=array)


def _strings_from_runtime(handle: int, shape: tuple[int, ...]) -> npt.NDArray[np.object_]:
    count = math.prod(shape)
    array = np.empty(count, dtype=np.object_)
    place = capi.call("TF_TensorData", handle) or 0
    for i in range(count):
        size = capi.call("TF_StringGetSize", place)
        array[i] = ctypes.string_at(capi.call("TF_StringGetDataPointer", place), size) if size else b""
        place += capi.TSTRING_BYTES
    return array.reshape(shape)


def delete(handle: int | None) -> None:
    """Give the runtime's memory of a tensor back."""
    if handle:
        capi.call("TF_DeleteTensor", handle)
