"""Pieces of TensorFlow's protocol buffers: types, shapes, attributes and constants.

Field numbers are those of tensorflow/core/framework/{types,tensor_shape,attr_value,tensor}.proto; protocol buffers
never reuse them.
"""

from typing import Final

from tfserving_operator.inspector import wire

MAX_DIMENSIONS: Final = 254
"""TensorFlow's own limit."""
MAX_ITEMS: Final = 4096
"""Of a list that is read out of an attribute or a constant."""
_MAX_STRING: Final = 256

_DIMENSIONS, _UNKNOWN_RANK, _SIZE = 2, 3, 1
_LIST, _BYTES, _INT, _, _BOOL, _TYPE, _SHAPE, _TENSOR, _FUNCTION = 1, 2, 3, 4, 5, 6, 7, 8, 10
_LIST_FUNCTION: Final = 9
_NAME: Final = 1
_TENSOR_TYPE, _TENSOR_SHAPE, _TENSOR_CONTENT, _INT_VALUES, _STRINGS, _INT64_VALUES = 1, 2, 4, 7, 8, 10
_BOOLEANS: Final = 11

_DTYPES: Final = (
    *(
        "INVALID",
        "FLOAT",
        "DOUBLE",
        "INT32",
        "UINT8",
        "INT16",
        "INT8",
        "STRING",
        "COMPLEX64",
        "INT64",
        "BOOL",
    ),
    *(
        "QINT8",
        "QUINT8",
        "QINT32",
        "BFLOAT16",
        "QINT16",
        "QUINT16",
        "UINT16",
        "COMPLEX128",
        "HALF",
        "RESOURCE",
    ),
    *("VARIANT", "UINT32", "UINT64", "FLOAT8_E5M2", "FLOAT8_E4M3FN", "FLOAT8_E4M3FNUZ", "FLOAT8_E4M3B11FNUZ"),
    *("FLOAT8_E5M2FNUZ", "INT4", "UINT4", "INT2", "UINT2"),
)
_REFERENCES: Final = 100
"""Added to a type for a reference to a variable of TensorFlow 1."""
_WIDTHS: Final = {"DT_INT32": 4, "DT_INT64": 8}


def dtype(number: int) -> str:
    """Give the enum's name of a type."""
    if _REFERENCES < number < 2 * _REFERENCES:
        number -= _REFERENCES
    return f"DT_{_DTYPES[number]}" if 0 <= number < len(_DTYPES) else f"DT_{number}"


def shape(message: wire.Message | None) -> tuple[int, ...] | None:
    """Read a TensorShapeProto; None for an unknown rank."""
    if message is None or message.number(_UNKNOWN_RANK):
        return None
    sizes: list[int] = []
    for dimension in message.messages(_DIMENSIONS):
        if len(sizes) == MAX_DIMENSIONS:
            break
        sizes.append(dimension.number(_SIZE))
    return tuple(sizes)


class Attribute:
    """An AttrValue, or the absence of one."""

    __slots__ = ("_value",)

    def __init__(self, value: wire.Message | None) -> None:
        self._value = value

    @property
    def is_there(self) -> bool:
        """Whether the node has it: an exporter may leave out what is the op's default."""
        return self._value is not None

    @property
    def dtype(self) -> str:
        """A type; DT_INVALID when there is none."""
        return dtype(self._number(_TYPE))

    @property
    def integer(self) -> int:
        """An integer; 0 when there is none."""
        return self._number(_INT)

    @property
    def boolean(self) -> bool:
        """A truth value; False when there is none."""
        return bool(self._number(_BOOL))

    @property
    def shape(self) -> tuple[int, ...] | None:
        """A shape; None when there is none, or of unknown rank."""
        return shape(self._value.message(_SHAPE)) if self._value else None

    @property
    def tensor(self) -> wire.Message | None:
        """A TensorProto."""
        return self._value.message(_TENSOR) if self._value else None

    def functions(self) -> list[str]:
        """Names of the functions that it holds: one, or a list."""
        if self._value is None:
            return []
        names = [held.text(_NAME) for held in self._value.messages(_FUNCTION)]
        for listed in self._value.messages(_LIST):
            names += [held.text(_NAME) for held in listed.messages(_LIST_FUNCTION)]
        return names[:MAX_ITEMS]

    def dtypes(self) -> list[str]:
        """A list of types."""
        listed = self._value.message(_LIST) if self._value else None
        return [dtype(number) for number in listed.numbers(_TYPE, MAX_ITEMS)] if listed else []

    def shapes(self) -> list[tuple[int, ...] | None]:
        """A list of shapes."""
        listed = self._value.message(_LIST) if self._value else None
        return [shape(message) for message in listed.messages(_SHAPE)][:MAX_ITEMS] if listed else []

    def strings(self) -> list[str]:
        """A list of strings."""
        listed = self._value.message(_LIST) if self._value else None
        return [_string(message) for message in listed.messages(_BYTES)][:MAX_ITEMS] if listed else []

    def _number(self, number: int) -> int:
        return self._value.number(number) if self._value else 0


def constant_dtype(tensor: wire.Message) -> str:
    """The type of a TensorProto."""
    return dtype(tensor.number(_TENSOR_TYPE))


def constant_shape(tensor: wire.Message) -> tuple[int, ...]:
    """The shape of a TensorProto."""
    return shape(tensor.message(_TENSOR_SHAPE)) or ()


def constant_strings(tensor: wire.Message, most: int = MAX_ITEMS) -> list[str]:
    """Read the first strings of a TensorProto."""
    found: list[str] = []
    for message in tensor.messages(_STRINGS):
        if len(found) == most:
            break
        found.append(_string(message))
    return found


def constant_integers(tensor: wire.Message) -> list[int]:
    """Read a short TensorProto of integers; a value that stands for a whole tensor is given once."""
    width = _WIDTHS.get(constant_dtype(tensor))
    if width is None:
        return []
    content = tensor.message(_TENSOR_CONTENT)
    if content is not None:
        data = content.as_bytes(width * MAX_ITEMS)
        return [
            int.from_bytes(data[at : at + width], "little", signed=True)
            for at in range(0, len(data) - width + 1, width)
        ]
    return tensor.numbers(_INT_VALUES if width == _WIDTHS["DT_INT32"] else _INT64_VALUES, MAX_ITEMS)


def constant_boolean(tensor: wire.Message) -> bool | None:
    """Read a TensorProto of one truth value; None for others."""
    if constant_dtype(tensor) != "DT_BOOL" or constant_shape(tensor) not in ((), (1,)):
        return None
    content = tensor.message(_TENSOR_CONTENT)
    return content.as_bytes(1) == b"\x01" if content else bool(next(iter(tensor.numbers(_BOOLEANS, 1)), 0))


def _string(message: wire.Message) -> str:
    return message.as_bytes(_MAX_STRING).decode("utf-8", "replace")
