"""The tensors of several requests as those of one, and back, as TensorFlow Serving's batching session does it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from local.modelserver import dtypes, errors, logs, tensors

Tensors = Mapping[str, tensors.Tensor]
"""Tensors by their names in the graph."""
_MAX_RANK: Final = 6


def size_of(feeds: Tensors) -> int:
    """Return how many rows a request has."""
    if not feeds:
        raise errors.invalid_argument("Batching Run() must have at least one input tensor")
    size: int | None = None
    for tensor in feeds.values():
        if tensor.array.ndim == 0:
            raise errors.invalid_argument("Batching Run() input tensors must have at least one dimension")
        if size is None:
            size = tensor.array.shape[0]
        elif tensor.array.shape[0] != size:
            raise errors.invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return size or 0


def allowed_size(size: int, allowed: Sequence[int]) -> int:
    """Return the size that a batch is filled up to."""
    for each in allowed:
        if each >= size:
            return each
    if allowed:
        logs.log(
            "batching/batching_session.cc",
            "Batch size greater than largest allowed size; ignoring allowed sizes constraint.",
            severity=logs.Severity.ERROR,
        )
    return size


def merge(requests: Sequence[Tensors], *, padding: int, pads_lengths: bool) -> dict[str, tensors.Tensor]:
    """Return the tensors of all requests one after the other, and some more rows like the last request's first."""
    return {
        name: _concatenated(name, [request[name] for request in requests], padding, pads_lengths=pads_lengths)
        for name in sorted(requests[0])
    }


def _concatenated(
    name: str, parts: Sequence[tensors.Tensor], padding: int, *, pads_lengths: bool
) -> tensors.Tensor:
    arrays: list[np.ndarray[Any, Any]] = [part.array for part in parts]
    first = arrays[0]
    if pads_lengths:
        arrays = _pad_lengths(arrays)
    elif any(array.shape[1:] != first.shape[1:] or array.ndim != first.ndim for array in arrays):
        raise errors.ServingError(
            errors.Code.FAILED_PRECONDITION,
            f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set"
            " pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal dimensions"
            " starting with the first dim.",
        )
    dtype = parts[0].dtype
    for part in parts:
        if part.dtype is not dtype:
            raise errors.ServingError(
                errors.Code.INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors that have different data"
                f" types. Got {dtypes.dtype_name(dtype)} and {dtypes.dtype_name(part.dtype)}.",
            )
    if padding:
        arrays.append(np.repeat(arrays[-1][:1], padding, axis=0))
    return tensors.Tensor(dtype=dtype, array=np.concatenate(arrays) if len(arrays) > 1 else arrays[0])


def _pad_lengths(arrays: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    rank = arrays[0].ndim
    if any(array.ndim != rank for array in arrays):
        # The original reads past the end of a vector here.
        raise errors.invalid_argument("Tensors of different ranks cannot be padded to one shape.")
    if not 1 <= rank <= _MAX_RANK:
        raise errors.invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    shape = tuple(max(array.shape[axis] for array in arrays) for axis in range(1, rank))
    return [_padded(array, shape) for array in arrays]


def _padded(array: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if array.shape[1:] == shape or (array.size == 0 and 0 in (array.shape[0], *shape)):
        return array.reshape((array.shape[0], *shape))
    if array.size == 0:
        raise errors.invalid_argument("Got empty tensor in batch of non-empty tensors.")
    padded = np.full((array.shape[0], *shape), array.flat[0], dtype=array.dtype)
    padded[tuple(slice(length) for length in array.shape)] = array
    return padded


def split(outputs: Tensors, sizes: Sequence[int], *, padding: int) -> list[dict[str, tensors.Tensor]]:
    """Return the rows of each request; those that padding gave are dropped."""
    total = sum(sizes) + padding
    for tensor in outputs.values():
        if tensor.array.ndim == 0:
            raise errors.ServingError(
                errors.Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions"
            )
        if tensor.array.shape[0] != total:
            raise errors.ServingError(
                errors.Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input"
                " tensors",
            )
    return [_rows(outputs, end - size, end) for size, end in zip(sizes, _ends(sizes), strict=True)]


def cut(feeds: Tensors, sizes: Sequence[int]) -> list[dict[str, tensors.Tensor]]:
    """Return a request in parts of some sizes."""
    return [_rows(feeds, end - size, end) for size, end in zip(sizes, _ends(sizes), strict=True)]


def join(parts: Sequence[Tensors]) -> dict[str, tensors.Tensor]:
    """Return the answers to a request's parts as one."""
    return {
        name: tensors.Tensor(dtype=tensor.dtype, array=np.concatenate([part[name].array for part in parts]))
        for name, tensor in parts[0].items()
    }


def _ends(sizes: Sequence[int]) -> list[int]:
    return np.cumsum(sizes).tolist() if sizes else []


def _rows(whole: Tensors, start: int, end: int) -> dict[str, tensors.Tensor]:
    return {
        name: tensors.Tensor(dtype=tensor.dtype, array=tensor.array[start:end])
        for name, tensor in whole.items()
    }
