"""PNG images, written without compression: what zlib makes of the same bytes differs between its versions."""

import struct
import zlib
from typing import Any, Final

import numpy as np

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOURS: Final = {1: 0, 3: 2, 4: 6}
"""PNG's colour type by the number of channels."""
_DEPTH: Final = 8
_ZLIB_HEADER: Final = b"\x78\x01"
_BLOCK: Final = 0xFFFF
"""Bytes that a stored block holds at most."""


def encode(pixels: np.ndarray[Any, Any]) -> bytes:
    """Encode height x width x channels of uint8."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _COLOURS[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)
    body = _stored(lines.tobytes())
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _stored(content: bytes) -> bytes:
    """A zlib stream of stored blocks (RFC 1950 and 1951)."""
    out = bytearray(_ZLIB_HEADER)
    for at in range(0, len(content), _BLOCK):
        block = content[at : at + _BLOCK]
        is_last = at + _BLOCK >= len(content)
        out += struct.pack("<BHH", is_last, len(block), _BLOCK ^ len(block)) + block
    return bytes(out) + struct.pack(">I", zlib.adler32(content))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
