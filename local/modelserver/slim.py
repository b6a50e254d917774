"""Cuts from shared libraries what only debuggers read: run while the image is built.

``python slim.py LIBRARY…`` truncates each 64-bit ELF file behind its last loaded segment and forgets its section
table. The dynamic loader reads program headers alone. It is what ``strip`` does to the symbol table, a quarter of the
runtime's size, without binutils in the image's base.
"""

import os
import struct
import sys
from pathlib import Path
from typing import Final

ELF64_LITTLE_ENDIAN: Final = b"\x7fELF\x02\x01"
LOADED: Final = 1
"""``PT_LOAD``, the type of a segment that is mapped into memory."""


def loaded_bytes(header: bytes) -> int:
    """Return how much of a library is loaded, from its first bytes."""
    if not header.startswith(ELF64_LITTLE_ENDIAN):
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", header, 0x20)
    entry_size, entries = struct.unpack_from("<HH", header, 0x36)
    ends: list[int] = []
    for entry in range(entries):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", header, table + entry * entry_size)
        if kind == LOADED:
            ends.append(offset + size)
    return max(ends)


def slim(path: Path) -> None:
    """Truncate one library."""
    with path.open("r+b") as file:
        end = loaded_bytes(file.read(4096))
        file.seek(0x28)
        file.write(bytes(8))  # where the section table is
        file.seek(0x3A)
        file.write(bytes(6))  # the size of its entries, their number, and which one names the others
        file.seek(0, os.SEEK_END)
        if file.tell() > end:
            file.truncate(end)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        slim(Path(name))
