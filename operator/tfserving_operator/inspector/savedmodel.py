"""Reading of saved_model.pb: signatures and op counts.

Field numbers are TensorFlow's (tensorflow/core/protobuf/saved_model.proto, meta_graph.proto and
tensorflow/core/framework/{graph,function,node_def,tensor_shape,types}.proto); protocol buffers never reuse them.
"""

import mmap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tfserving_operator.core import inspection
from tfserving_operator.inspector import wire

MAX_FIELDS: Final = 3_000_000
"""Of one file: some hundred thousand nodes, a few seconds on a quarter of a core."""
MAX_SIGNATURES: Final = 64
MAX_TENSORS: Final = 256
MAX_DIMENSIONS: Final = 254
"""TensorFlow's own limit."""
_INTERNAL: Final = "__"
"""Signatures of TensorFlow's own, such as __saved_model_init_op."""

_META_GRAPHS: Final = 2
_META_INFO, _GRAPH, _SIGNATURES = 1, 2, 5
_TAGS, _TENSORFLOW_VERSION = 4, 5
_NODES, _LIBRARY, _FUNCTIONS, _FUNCTION_NODES = 1, 2, 1, 3
_NODE_OP: Final = 2
_MAP_KEY, _MAP_VALUE = 1, 2
_INPUTS, _OUTPUTS, _METHOD = 1, 2, 3
_DTYPE, _SHAPE = 2, 3
_DIMENSIONS, _UNKNOWN_RANK, _SIZE = 2, 3, 1

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """What was read of one meta graph."""

    tags: tuple[str, ...] = ()
    tensorflow_version: str = ""
    signatures: dict[str, inspection.Signature] = field(default_factory=dict)
    ops: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    """Whether all of it was read, within `MAX_FIELDS`."""


def read(path: Path, tag: str = "serve") -> Graph | None:
    """Read the meta graph with a tag, or the first one; None when there is none.

    Raises
    ------
    wire.MalformedError
        When the file is no SavedModel.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise wire.MalformedError("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return parse(mapped, tag)


def parse(buffer: wire.Buffer, tag: str = "serve", max_fields: int = MAX_FIELDS) -> Graph | None:
    """Read a SavedModel from its bytes; see `read`."""
    first: Graph | None = None
    budget = wire.Budget(max_fields)
    saved_model = wire.Message(buffer, 0, len(buffer), budget)
    try:
        for number, value in saved_model.fields():
            if number == _META_GRAPHS and isinstance(value, wire.Message):
                graph = _meta_graph(value)
                if tag in graph.tags or not graph.complete:
                    return graph
                first = first or graph
    except wire.BudgetError:
        return first or Graph(complete=False)
    return first


def _meta_graph(meta: wire.Message) -> Graph:
    tags: list[str] = []
    version = ""
    signatures: dict[str, inspection.Signature] = {}
    ops: Counter[str] = Counter()
    graphs: list[wire.Message] = []
    try:
        for number, value in meta.fields():
            if not isinstance(value, wire.Message):
                continue
            if number == _META_INFO:
                tags = [tag.as_text() for tag in value.messages(_TAGS)][:MAX_SIGNATURES]
                version = value.text(_TENSORFLOW_VERSION)
            elif number == _GRAPH:
                graphs.append(value)  # last: it is the large part, and the budget may end in it
            elif number == _SIGNATURES and len(signatures) < MAX_SIGNATURES:
                name = value.text(_MAP_KEY)
                held = value.first(_MAP_VALUE)
                if not name.startswith(_INTERNAL) and isinstance(held, wire.Message):
                    signatures[name] = _signature(held)
        for graph in graphs:
            _count(graph, ops)
    except wire.BudgetError:
        return Graph(
            tags=tuple(tags), tensorflow_version=version, signatures=signatures, ops=ops, complete=False
        )
    return Graph(tags=tuple(tags), tensorflow_version=version, signatures=signatures, ops=ops)


def _count(graph: wire.Message, ops: Counter[str]) -> None:
    for number, value in graph.fields():
        if number == _NODES and isinstance(value, wire.Message):
            ops[value.text(_NODE_OP)] += 1
        elif number == _LIBRARY and isinstance(value, wire.Message):
            for function in value.messages(_FUNCTIONS):
                for node in function.messages(_FUNCTION_NODES):
                    ops[node.text(_NODE_OP)] += 1


def _signature(message: wire.Message) -> inspection.Signature:
    return inspection.Signature(
        method=message.text(_METHOD), inputs=_tensors(message, _INPUTS), outputs=_tensors(message, _OUTPUTS)
    )


def _tensors(message: wire.Message, number: int) -> dict[str, inspection.Tensor]:
    tensors: dict[str, inspection.Tensor] = {}
    for entry in message.messages(number):
        info = entry.first(_MAP_VALUE)
        if isinstance(info, wire.Message) and len(tensors) < MAX_TENSORS:
            tensors[entry.text(_MAP_KEY)] = inspection.Tensor(
                dtype=_dtype(info.number(_DTYPE)), shape=_shape(info)
            )
    return dict(sorted(tensors.items()))


def _dtype(number: int) -> str:
    return f"DT_{_DTYPES[number]}" if 0 <= number < len(_DTYPES) else f"DT_{number}"


def _shape(info: wire.Message) -> tuple[int, ...] | None:
    shape = info.first(_SHAPE)
    if not isinstance(shape, wire.Message):
        return None
    if shape.number(_UNKNOWN_RANK):
        return None
    sizes = [dimension.number(_SIZE) for dimension in shape.messages(_DIMENSIONS)]
    return tuple(sizes[:MAX_DIMENSIONS])
