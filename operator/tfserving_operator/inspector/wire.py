"""Protocol buffers read by position, so that a file of any size costs a bounded amount of memory.

A saved_model.pb may hold gigabytes of constants, which protobuf's own parser keeps even as unknown fields;
the inspector has 256 MiB. Here a field is a position in a mapped file, and what is not asked for is
stepped over. A budget bounds the time that a hostile file takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

_VARINT_BYTES: Final = 10
_TEXT_BYTES: Final = 4096


class Buffer(Protocol):
    """Bytes or a mapped file."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: slice, /) -> bytes: ...


class WireType(IntEnum):
    """How a field's value is written."""

    Varint = 0
    """means a variable-length integer"""
    Fixed64 = 1
    """means eight bytes"""
    Length = 2
    """means a length, then as many bytes: text, bytes, a message"""
    StartGroup = 3
    """means a group, which nothing of TensorFlow's uses"""
    EndGroup = 4
    """means the end of one"""
    Fixed32 = 5
    """means four bytes"""


class MalformedError(ValueError):
    """The bytes are no protocol buffer."""


class BudgetError(Exception):
    """There are more fields than are read."""


class Budget:
    """How many fields may still be read."""

    def __init__(self, fields: int) -> None:
        self._left = fields

    def spend(self) -> None:
        """Count one field."""
        self._left -= 1
        if self._left < 0:
            raise BudgetError


@dataclass(frozen=True, slots=True)
class Message:
    """A message at a position of a buffer."""

    buffer: Buffer
    start: int
    end: int
    budget: Budget

    def fields(self) -> Iterator[tuple[int, "Message | int"]]:
        """Yield each field's number, and its value: an integer, or the message (or text) that it holds.

        Raises
        ------
        MalformedError
            When this is no protocol buffer.
        BudgetError
            When there are too many fields.
        """
        at = self.start
        while at < self.end:
            self.budget.spend()
            tag, at = self._varint(at)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise MalformedError(f"field number 0 at byte {at}")
            if kind == WireType.Varint:
                value, at = self._varint(at)
                yield number, value
                continue
            if kind == WireType.Length:
                length, at = self._varint(at)
            elif kind in (WireType.Fixed64, WireType.Fixed32):
                length = 8 if kind == WireType.Fixed64 else 4
            else:
                raise MalformedError(f"wire type {kind} at byte {at}")
            if at + length > self.end:
                raise MalformedError(
                    f"a field of {length} bytes at byte {at}, beyond the end: the file is cut off"
                )
            if kind == WireType.Length:
                yield number, Message(self.buffer, at, at + length, self.budget)
            at += length

    def messages(self, number: int) -> Iterator["Message"]:
        """Yield the messages (or texts) of one field."""
        for found, value in self.fields():
            if found == number and isinstance(value, Message):
                yield value

    def first(self, number: int) -> "Message | int | None":
        """Give a field's first value; later ones, which a writer never makes, are not looked for."""
        return next((value for found, value in self.fields() if found == number), None)

    def text(self, number: int) -> str:
        """Give a text field; "" when absent."""
        value = self.first(number)
        return value.as_text() if isinstance(value, Message) else ""

    def number(self, number: int) -> int:
        """Give an integer field, as int64; 0 when absent."""
        value = self.first(number)
        return (
            value - (1 << 64)
            if isinstance(value, int) and value >> 63
            else value
            if isinstance(value, int)
            else 0
        )

    def as_text(self) -> str:
        """Give the bytes as text, cut where no name is as long."""
        return bytes(self.buffer[self.start : min(self.end, self.start + _TEXT_BYTES)]).decode(
            "utf-8", "replace"
        )

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for i, byte in enumerate(self.buffer[at : min(at + _VARINT_BYTES, self.end)]):
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                return value, at + i + 1
        raise MalformedError(f"no integer at byte {at}")
