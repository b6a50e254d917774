"""The index of a checkpoint: how long each file of variables must be.

`variables.index` is a table in LevelDB's format (tensorflow/core/lib/io/format.h): blocks of prefix-compressed
keys, an index block of their positions, a footer. Its values are BundleEntryProto (tensor_bundle.proto).
"""

import struct
from collections.abc import Iterator
from typing import Final

from tfserving_operator.inspector import wire

MAX_BYTES: Final = 32 * 1024 * 1024
"""Of an index: some hundred thousand variables."""
_MAX_ENTRIES: Final = 500_000
_FOOTER_BYTES: Final = 48
_MAGIC: Final = 0xDB4775248B80FB57
_UNCOMPRESSED: Final = 0
_SHARD, _OFFSET, _SIZE = 3, 4, 5


def shard_sizes(table: bytes) -> dict[int, int]:
    """Read how many bytes each shard holds at least; {} for a compressed index, which is not read.

    Raises
    ------
    wire.MalformedError
        When it is no index of a checkpoint.
    """
    if len(table) < _FOOTER_BYTES or struct.unpack_from("<Q", table, len(table) - 8)[0] != _MAGIC:
        raise wire.MalformedError("no footer of a table")
    footer = table[-_FOOTER_BYTES:]
    at = 0
    for _ in range(2):  # the handle of the block about blocks, which nothing is needed of
        _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    sizes: dict[int, int] = {}
    budget = wire.Budget(_MAX_ENTRIES * 8)
    entries = 0
    for _key, handle in _block(table, offset, size):
        block_offset, at = _varint(handle, 0)
        block_size, _ = _varint(handle, at)
        for key, value in _block(table, block_offset, block_size):
            entries += 1
            if entries > _MAX_ENTRIES:
                raise wire.MalformedError("more entries than a checkpoint has")
            if key:  # the first entry is a header
                entry = wire.Message(value, 0, len(value), budget)
                shard = entry.number(_SHARD)
                sizes[shard] = max(sizes.get(shard, 0), entry.number(_OFFSET) + entry.number(_SIZE))
    return sizes


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bool, bytes]]:
    """Yield each entry of a block: whether it has a key, and its value."""
    if offset + size + 1 > len(table) or size < 4:  # noqa: PLR2004 - a block ends in a number of four bytes
        raise wire.MalformedError("a block beyond the end")
    if table[offset + size] != _UNCOMPRESSED:
        return
    restarts = struct.unpack_from("<I", table, offset + size - 4)[0]
    at, end = offset, offset + size - 4 * (restarts + 1)
    while at < end:
        shared, at = _varint(table, at)
        unshared, at = _varint(table, at)
        length, at = _varint(table, at)
        at += unshared
        if at + length > end:
            raise wire.MalformedError("an entry beyond its block")
        yield bool(shared or unshared), table[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at + i + 1
    raise wire.MalformedError("no integer")
