"""Reading of saved_model.pb: signatures, op counts, and where to find its nodes.

Field numbers are those of tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto.
"""

import contextlib
import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tfserving_operator.core import inspection
from tfserving_operator.inspector import nodes, protos, wire

MAX_FIELDS: Final = 600_000
"""Of one file: a hundred thousand nodes, a few seconds on a quarter of a core."""
MAX_STEPS: Final = 500_000
"""For all that is looked up in it afterwards."""
MAX_SIGNATURES: Final = 64
MAX_TENSORS: Final = 256
_MAX_ASSETS: Final = 256
_INTERNAL: Final = "__"
"""Signatures of TensorFlow's own."""
_INIT_SIGNATURE: Final = "__saved_model_init_op"
_ASSETS_COLLECTION: Final = "saved_model_assets"
_INIT_COLLECTIONS: Final = ("saved_model_main_op", "legacy_init_op")

_META_GRAPHS: Final = 2
_META_INFO, _GRAPH, _SAVER, _COLLECTIONS, _SIGNATURES, _ASSETS = 1, 2, 3, 4, 5, 6
_TAGS, _TENSORFLOW_VERSION = 4, 5
_RESTORE_OP: Final = 3
_COLLECTION_NODES, _COLLECTION_ANY, _COLLECTION_VALUE = 1, 5, 1
_ANY_VALUE: Final = 2
_ASSET_TENSOR, _ASSET_FILE = 1, 2
_MAP_KEY, _MAP_VALUE = 1, 2
_INPUTS, _OUTPUTS, _METHOD = 1, 2, 3
_TENSOR_NAME, _DTYPE, _SHAPE, _SPARSE = 1, 2, 3, 4
_SPARSE_PARTS: Final = (1, 2, 3)

Wires = dict[str, tuple[str, ...]]
"""The graph's tensors by input or output; () where they are not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """Which tensors of the graph a signature feeds and fetches."""

    inputs: Wires
    outputs: Wires


@dataclass(kw_only=True, slots=True)
class Graph:
    """What was read of one meta graph."""

    tags: tuple[str, ...] = ()
    tensorflow_version: str = ""
    signatures: dict[str, inspection.Signature] = field(default_factory=dict)
    wiring: dict[str, Wiring] = field(default_factory=dict)
    init_ops: tuple[str, ...] = ()
    """What runs after the variables are restored."""
    restore_op: str = ""
    asset_files: dict[str, str] = field(default_factory=dict)
    """File names by the tensor that holds the path."""
    ops: Counter[str] = field(default_factory=Counter)
    function_bytes: int = 0
    """Of its functions, in which TensorFlow 2 holds nearly all."""
    by_name: nodes.Nodes | None = None
    library: nodes.Library | None = None
    steps: wire.Budget = field(default_factory=lambda: wire.Budget(MAX_STEPS))
    """What may be spent on looking at its nodes."""
    complete: bool = True
    """Whether all of it was read, within `MAX_FIELDS`."""


@contextlib.contextmanager
def opened(path: Path, tag: str = "serve") -> Iterator[Graph | None]:
    """Read the meta graph with a tag, or the first one; its nodes can be read while it is open.

    Yields
    ------
    Graph | None
        None when the file holds no graph.

    Raises
    ------
    wire.MalformedError
        When the file is no SavedModel.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise wire.MalformedError("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield parse(mapped, tag)


def parse(buffer: wire.Buffer, tag: str = "serve", max_fields: int = MAX_FIELDS) -> Graph | None:
    """Read a SavedModel from its bytes; see `opened`."""
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
    steps = wire.Budget(MAX_STEPS)
    found = Graph(
        by_name=nodes.Nodes(meta.buffer, steps), library=nodes.Library(meta.buffer, steps), steps=steps
    )
    graphs: list[wire.Message] = []
    try:
        for number, value in meta.fields():
            if number == _GRAPH and isinstance(value, wire.Message):
                graphs.append(value)  # last: it is the large part, and the budget may end in it
            elif isinstance(value, wire.Message):
                _about(found, number, value)
        for graph in graphs:
            found.function_bytes += nodes.index(graph, found.ops, found.by_name, found.library)  # type: ignore[arg-type] # just made
    except wire.BudgetError:
        found.complete = False
    return found


def _about(found: Graph, number: int, value: wire.Message) -> None:
    """Read a field of the meta graph other than the graph."""
    if number == _META_INFO:
        found.tags = tuple(tag.as_text() for tag in value.messages(_TAGS))[:MAX_SIGNATURES]
        found.tensorflow_version = value.text(_TENSORFLOW_VERSION)
    elif number == _SIGNATURES:
        _add_signature(found, value)
    elif number == _SAVER:
        found.restore_op = value.text(_RESTORE_OP)
    elif number == _COLLECTIONS:
        _about_collection(found, value.text(_MAP_KEY), value.message(_MAP_VALUE))
    elif number == _ASSETS:
        _add_asset(found, value)


def _about_collection(found: Graph, name: str, collection: wire.Message | None) -> None:
    """What TensorFlow 1 wrote as collections: the init op, and the assets."""
    if collection is None:
        return
    if name in _INIT_COLLECTIONS and (held := collection.message(_COLLECTION_NODES)):
        found.init_ops += tuple(op.as_text() for op in held.messages(_COLLECTION_VALUE))[:MAX_SIGNATURES]
    elif name == _ASSETS_COLLECTION and (held := collection.message(_COLLECTION_ANY)):
        for packed in held.messages(_COLLECTION_VALUE):
            if (asset := packed.message(_ANY_VALUE)) is not None:
                _add_asset(found, asset)


def _add_asset(found: Graph, asset: wire.Message) -> None:
    tensor = asset.message(_ASSET_TENSOR)
    if tensor is not None and len(found.asset_files) < _MAX_ASSETS:
        found.asset_files[tensor.text(_TENSOR_NAME)] = asset.text(_ASSET_FILE)


def _add_signature(found: Graph, entry: wire.Message) -> None:
    name = entry.text(_MAP_KEY)
    held = entry.message(_MAP_VALUE)
    if held is None:
        return
    if name == _INIT_SIGNATURE:
        found.init_ops += tuple(tensor for tensors in _wires(held, _OUTPUTS).values() for tensor in tensors)
    if name.startswith(_INTERNAL) or len(found.signatures) >= MAX_SIGNATURES:
        return
    found.signatures[name] = inspection.Signature(
        method=held.text(_METHOD), inputs=_tensors(held, _INPUTS), outputs=_tensors(held, _OUTPUTS)
    )
    found.wiring[name] = Wiring(inputs=_wires(held, _INPUTS), outputs=_wires(held, _OUTPUTS))


def _infos(signature: wire.Message, number: int) -> dict[str, wire.Message]:
    infos: dict[str, wire.Message] = {}
    for entry in signature.messages(number):
        info = entry.message(_MAP_VALUE)
        if info is not None and len(infos) < MAX_TENSORS:
            infos[entry.text(_MAP_KEY)] = info
    return dict(sorted(infos.items()))


def _tensors(signature: wire.Message, number: int) -> dict[str, inspection.Tensor]:
    return {
        name: inspection.Tensor(
            dtype=protos.dtype(info.number(_DTYPE)), shape=protos.shape(info.message(_SHAPE))
        )
        for name, info in _infos(signature, number).items()
    }


def _wires(signature: wire.Message, number: int) -> Wires:
    return {name: _tensor_names(info) for name, info in _infos(signature, number).items()}


def _tensor_names(info: wire.Message) -> tuple[str, ...]:
    if name := info.text(_TENSOR_NAME):
        return (name,)
    sparse = info.message(_SPARSE)
    return tuple(filter(None, (sparse.text(part) for part in _SPARSE_PARTS))) if sparse else ()
