"""The signatures that a TensorFlow Lite model carries for TensorFlow Serving: ``SignatureDef`` messages in its metadata.

They are not those that TensorFlow's own converter writes since 2.5, which the original does not read either.
"""

from collections.abc import Iterator
from typing import Any, Final

from flatbuffers import encode, flexbuffers, number_types, table  # type: ignore[import-untyped]
from google.protobuf import message

from local.modelserver import errors, protos

_METADATA_NAME: Final = b"signature_defs_metadata"
_MODEL_BUFFERS: Final = 12
"""Where a field's place is found in a table: four bytes and two more for each field before it; from the schema."""
_MODEL_METADATA: Final = 16
_METADATA_NAME_FIELD: Final = 4
_METADATA_BUFFER: Final = 6
_BUFFER_DATA: Final = 4


def signature_defs(model: bytes) -> dict[str, Any]:
    """Return the ``SignatureDef`` messages of a model by their names; none if it has none.

    Raises
    ------
    ServingError
        They cannot be read.
    """
    root = table.Table(model, encode.Get(number_types.UOffsetTFlags.packer_type, model, 0))
    for metadata in _tables(root, _MODEL_METADATA):
        name = metadata.Offset(_METADATA_NAME_FIELD)
        if name and metadata.String(metadata.Pos + name) == _METADATA_NAME:
            place = metadata.Offset(_METADATA_BUFFER)
            number = metadata.Get(number_types.Uint32Flags, metadata.Pos + place) if place else 0
            return _parse(_data(list(_tables(root, _MODEL_BUFFERS))[number]))
    return {}


def _tables(parent: table.Table, field: int) -> Iterator[table.Table]:
    offset = parent.Offset(field)
    if offset:
        start = parent.Vector(offset)
        for i in range(parent.VectorLen(offset)):
            yield table.Table(parent.Bytes, parent.Indirect(start + 4 * i))


def _data(buffer: table.Table) -> bytes:
    offset = buffer.Offset(_BUFFER_DATA)
    if not offset:
        return b""
    start = buffer.Vector(offset)
    return bytes(buffer.Bytes[start : start + buffer.VectorLen(offset)])


def _parse(data: bytes) -> dict[str, Any]:
    signatures = flexbuffers.GetRoot(bytearray(data)).AsMap
    parsed = {}
    for i in range(len(signatures)):
        # The original takes the bytes for a C string, which ends at the first zero.
        serialized = bytes(signatures.Values[i].AsStringBytes).partition(b"\0")[0]
        try:
            proto = protos.meta_graph_pb2.SignatureDef.FromString(serialized)
        except message.DecodeError as error:
            raise errors.invalid_argument(
                "Invalid SignatureDefs found in TfLite model: Cannot parse signature def found in flatbuffer."
            ) from error
        parsed[signatures.Keys[i].AsKey] = proto
    return parsed
