"""What TensorFlow says when its allocator got no memory, told apart from queues that are full."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BAD_ALLOC: Final = "std::bad_alloc"
"""What C++ says when the process gets no more memory; nothing catches it, so that the process aborts."""

_TENSOR: Final = re.compile(
    r"OOM when allocating tensor with shape\[(?P<shape>[\d,]*)\] and type (?P<type>\w+) on (?P<device>\S+)"
)
_XLA: Final = re.compile(r"Out of memory while trying to allocate (?P<bytes>\d+) bytes")
_CUDA: Final = re.compile(r"failed to alloc(?:ate)? (?:\S+ \()?(?P<bytes>\d+)(?: bytes\)?)? from device")
_OTHERS: Final = re.compile(r"OOM when allocating tensor|RESOURCE_EXHAUSTED: failed to allocate memory")
_ON_GPU: Final = re.compile(r"device:GPU:\d|GPU_\d+_bfc|CUDA_ERROR_OUT_OF_MEMORY|CUDNN_STATUS_ALLOC_FAILED")
_TYPE_BYTES: Final[Mapping[str, int]] = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "half": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
    "float": 4,
    "int32": 4,
    "uint32": 4,
    "double": 8,
    "int64": 8,
    "uint64": 8,
    "complex64": 8,
    "complex128": 16,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An allocation that failed."""

    on_gpu: bool
    """Of the device's own memory: no memory limit of a container helps."""
    size_bytes: int | None
    """What was asked for, where the text tells it."""


def refusal(text: str) -> Refusal | None:
    """Read an error's text; None where it tells of no allocation, such as of a queue that is full."""
    on_gpu = _ON_GPU.search(text) is not None
    if tensor := _TENSOR.search(text):
        return Refusal(on_gpu="GPU" in tensor["device"] or on_gpu, size_bytes=_tensor_bytes(tensor))
    if sized := _XLA.search(text) or _CUDA.search(text):
        return Refusal(on_gpu=on_gpu, size_bytes=int(sized["bytes"]))
    if on_gpu or _OTHERS.search(text):
        return Refusal(on_gpu=on_gpu, size_bytes=None)
    return None


def _tensor_bytes(tensor: re.Match[str]) -> int | None:
    sizes = [int(size) for size in tensor["shape"].split(",") if size]
    each = _TYPE_BYTES.get(tensor["type"])
    return None if each is None else math.prod(sizes) * each
