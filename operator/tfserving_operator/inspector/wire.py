"""Protocol buffers read by position, so that a file of any size costs a bounded amount of memory.

A saved_model.pb may hold gigabytes of constants, which protobuf's own parser keeps even as unknown fields;
the inspector has 256 MiB. Here a field is a position in a mapped file, and what is not asked for is
stepped over. A budget bounds the time that a hostile file takes, and the text that is kept of it.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_VARINT_BYTES: Final = 10
_LAST_BYTE: Final = 0x7F
"""A larger byte of an integer is followed by another."""
_TEXT_BYTES: Final = 4096
_VARINT: Final = 0
_LENGTH: Final = 2
"""A length, then as many bytes: text, bytes, a message."""
_FIXED: Final = {1: 8, 5: 4}
"""Wire types of fixed lengths. Groups (3 and 4) are in nothing of TensorFlow's."""


Buffer = bytes | mmap.mmap


class MalformedError(ValueError):
    """The bytes are no protocol buffer."""


class BudgetError(Exception):
    """There are more fields than are read."""


class Budget:
    """How many fields may still be read; text that is kept counts by its length."""

    def __init__(self, fields: int) -> None:
        self.left = fields

    def spend(self, fields: int = 1) -> None:
        """Count fields, or steps that cost as much."""
        self.left -= fields
        if self.left < 0:
            raise BudgetError


@dataclass(slots=True, eq=False)
class Message:
    """A message, or text, at a position of a buffer."""

    buffer: Buffer
    start: int
    end: int
    budget: Budget

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Yield each field's number, and where its content starts and ends; for an integer, its value and -1.

        Raises
        ------
        MalformedError
            When this is no protocol buffer.
        BudgetError
            When there are too many fields.
        """
        at, end, buffer, budget = self.start, self.end, self.buffer, self.budget
        while at < end:
            budget.left -= 1
            if budget.left < 0:
                raise BudgetError
            tag = buffer[at]
            at += 1
            if tag > _LAST_BYTE:
                tag, at = self._varint(at - 1)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise MalformedError(f"field number 0 at byte {at}")
            if kind == _LENGTH:
                length = buffer[at] if at < end else _LAST_BYTE + 1
                at += 1
                if length > _LAST_BYTE:
                    length, at = self._varint(at - 1)
            elif kind == _VARINT:
                value, at = self._varint(at)
                yield number, value, -1
                continue
            else:
                length = _FIXED.get(kind, -1)
                if length < 0:
                    raise MalformedError(f"wire type {kind} at byte {at}")
            if at + length > end:
                raise MalformedError(
                    f"a field of {length} bytes at byte {at}, beyond the end: the file is cut off"
                )
            yield number, at, at + length
            at += length

    def fields(self) -> Iterator[tuple[int, "Message | int"]]:
        """Yield each field's number, and its value: an integer, or the message (or text) that it holds."""
        for number, start, end in self.spans():
            yield number, start if end < 0 else Message(self.buffer, start, end, self.budget)

    def messages(self, number: int) -> Iterator["Message"]:
        """Yield the messages (or texts) of one field."""
        for found, start, end in self.spans():
            if found == number and end >= 0:
                yield Message(self.buffer, start, end, self.budget)

    def first(self, number: int) -> "Message | int | None":
        """Give a field's first value; later ones, which a writer never makes, are not looked for."""
        return next((value for found, value in self.fields() if found == number), None)

    def message(self, number: int) -> "Message | None":
        """Give a field's first message; None when absent."""
        value = self.first(number)
        return value if isinstance(value, Message) else None

    def text(self, number: int) -> str:
        """Give a text field; "" when absent."""
        value = self.first(number)
        return value.as_text() if isinstance(value, Message) else ""

    def number(self, number: int) -> int:
        """Give an integer field, as int64; 0 when absent."""
        value = self.first(number)
        return as_int64(value) if isinstance(value, int) else 0

    def numbers(self, number: int, most: int) -> list[int]:
        """Give a repeated integer field, packed or not, as int64; at most so many of them."""
        found: list[int] = []
        for field, start, end in self.spans():
            if field != number:
                continue
            if end < 0:
                found.append(as_int64(start))
            else:
                at = start
                while at < end and len(found) < most:
                    self.budget.spend()
                    value, at = self._varint(at)
                    found.append(as_int64(value))
            if len(found) >= most:
                break
        return found[:most]

    def as_text(self) -> str:
        """Give the bytes as text, cut where no name is as long."""
        return self.as_bytes(_TEXT_BYTES).decode("utf-8", "replace")

    def as_bytes(self, most: int) -> bytes:
        """Give the first bytes."""
        end = min(self.end, self.start + most)
        self.budget.spend((end - self.start) >> 4)
        return bytes(self.buffer[self.start : end])

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for i, byte in enumerate(self.buffer[at : min(at + _VARINT_BYTES, self.end)]):
            value |= (byte & _LAST_BYTE) << (7 * i)
            if byte <= _LAST_BYTE:
                return value, at + i + 1
        raise MalformedError(f"no integer at byte {at}")


def as_int64(value: int) -> int:
    """Read an unsigned integer as the signed one that was written."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
