"""TensorFlow's element types and the numpy types that hold them."""

import enum
from typing import Final

import numpy as np


class DType(enum.IntEnum):
    """An element type; the numbers are those of ``tensorflow.DataType``."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    STRING = 7
    COMPLEX64 = 8
    INT64 = 9
    BOOL = 10
    QINT8 = 11
    QUINT8 = 12
    QINT32 = 13
    BFLOAT16 = 14
    QINT16 = 15
    QUINT16 = 16
    UINT16 = 17
    COMPLEX128 = 18
    HALF = 19
    RESOURCE = 20
    VARIANT = 21
    UINT32 = 22
    UINT64 = 23


NUMPY: Final[dict[DType, np.dtype[np.generic]]] = {
    DType.FLOAT: np.dtype(np.float32),
    DType.DOUBLE: np.dtype(np.float64),
    DType.INT32: np.dtype(np.int32),
    DType.UINT8: np.dtype(np.uint8),
    DType.INT16: np.dtype(np.int16),
    DType.INT8: np.dtype(np.int8),
    DType.COMPLEX64: np.dtype(np.complex64),
    DType.INT64: np.dtype(np.int64),
    DType.BOOL: np.dtype(np.bool_),
    DType.QINT8: np.dtype(np.int8),
    DType.QUINT8: np.dtype(np.uint8),
    DType.QINT32: np.dtype(np.int32),
    DType.QINT16: np.dtype(np.int16),
    DType.QUINT16: np.dtype(np.uint16),
    DType.BFLOAT16: np.dtype(np.uint16),  # the raw bits: numpy has no such type
    DType.UINT16: np.dtype(np.uint16),
    DType.COMPLEX128: np.dtype(np.complex128),
    DType.HALF: np.dtype(np.float16),
    DType.UINT32: np.dtype(np.uint32),
    DType.UINT64: np.dtype(np.uint64),
}
"""The numpy type of each element type of a fixed width that this server moves."""


def dtype_name(number: int) -> str:
    """Return the name that TensorFlow's own messages give to an element type."""
    return (
        DType(number).name.lower()
        if number in DType.__members__.values()
        else f"unknown dtype enum ({number})"
    )
