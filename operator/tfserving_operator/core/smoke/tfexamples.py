"""Serialised tf.Examples, written without TensorFlow.

Field numbers are those of tensorflow/core/example/{example,feature}.proto.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

_EXAMPLE_FEATURES, _FEATURES_ENTRY, _KEY, _VALUE = 1, 1, 1, 2
_BYTES, _FLOATS, _INTEGERS, _LIST_VALUES = 1, 2, 3, 1
_LENGTH_DELIMITED: Final = 2
_MORE: Final = 0x80
_UINT64: Final = (1 << 64) - 1

Values = Sequence[bytes] | Sequence[float] | Sequence[int]


def serialise(features: Mapping[str, Values]) -> bytes:
    """Write a tf.Example: lists of bytes, of floats or of integers by name. The same features give the same bytes."""
    entries = b"".join(
        _field(_FEATURES_ENTRY, _field(_KEY, name.encode()) + _field(_VALUE, _feature(values)))
        for name, values in sorted(features.items())
    )
    return _field(_EXAMPLE_FEATURES, entries)


def _feature(values: Values) -> bytes:
    if all(isinstance(value, bytes) for value in values):
        return _field(
            _BYTES, b"".join(_field(_LIST_VALUES, value) for value in values if isinstance(value, bytes))
        )
    if all(isinstance(value, int) for value in values):
        packed = b"".join(_varint(int(value) & _UINT64) for value in values)
        return _field(_INTEGERS, _field(_LIST_VALUES, packed))
    return _field(_FLOATS, _field(_LIST_VALUES, struct.pack(f"<{len(values)}f", *values)))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= _MORE:
        out.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)
