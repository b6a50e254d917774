"""Which features a graph parses out of serialised tf.Examples."""

from collections.abc import Iterator
from typing import Final

from tfserving_operator.core.inspection import Feature
from tfserving_operator.inspector import flow, ops, picture, protos

_MAX_FEATURES: Final = 128
_MAX_NAME: Final = 100
_UNKNOWN: Final = "DT_INVALID"


def find(seen: picture.Picture) -> tuple[Feature, ...]:
    """Find them all; () where one cannot be read, or where there are too many: half a list would mislead."""
    found: dict[str, Feature] = {}
    for index in seen.matching(ops.EXAMPLES.__contains__):
        vertex = seen.vertex(index)
        for feature in _PARSERS[vertex.op](seen, vertex):
            found.setdefault(feature.name, feature)
    odd = any(not f.name or f.dtype == _UNKNOWN or len(f.name) > _MAX_NAME for f in found.values())
    return () if odd or len(found) > _MAX_FEATURES else tuple(found.values())


def _second(seen: picture.Picture, vertex: flow.Vertex) -> Iterator[Feature]:
    """ParseExampleV2: serialized, names, sparse keys, dense keys, ragged keys, dense defaults."""
    if vertex.node is None or len(vertex.data) < 5:  # noqa: PLR2004 - as listed above
        return
    sparse, dense, ragged = (_strings(seen, index) for index in vertex.data[2:5])
    node = vertex.node
    yield from _loose(sparse, node.attribute("sparse_types").dtypes())
    yield from _loose(ragged, node.attribute("ragged_value_types").dtypes())
    yield from _dense(seen, vertex, dense, 5)


def _first(seen: picture.Picture, vertex: flow.Vertex) -> Iterator[Feature]:
    """ParseExample: serialized, names, then each sparse key, each dense key, the dense defaults."""
    if vertex.node is None:
        return
    sparse_count = vertex.node.attribute("Nsparse").integer
    dense_from = 2 + max(sparse_count, 0)
    defaults_from = dense_from + max(vertex.node.attribute("Ndense").integer, 0)
    sparse = [key for index in vertex.data[2:dense_from] for key in _strings(seen, index)]
    dense = [key for index in vertex.data[dense_from:defaults_from] for key in _strings(seen, index)]
    yield from _loose(sparse, vertex.node.attribute("sparse_types").dtypes())
    yield from _dense(seen, vertex, dense, defaults_from)


def _single(seen: picture.Picture, vertex: flow.Vertex) -> Iterator[Feature]:
    """ParseSingleExample: serialized, dense defaults; its keys are attributes."""
    if vertex.node is None:
        return
    sparse = vertex.node.attribute("sparse_keys").strings()
    yield from _loose(sparse, vertex.node.attribute("sparse_types").dtypes())
    yield from _dense(seen, vertex, vertex.node.attribute("dense_keys").strings(), 1)


_PARSERS: Final = {"ParseExampleV2": _second, "ParseExample": _first, "ParseSingleExample": _single}


def _loose(keys: list[str], dtypes: list[str]) -> Iterator[Feature]:
    for i, key in enumerate(keys):
        dtype = dtypes[i] if i < len(dtypes) else _UNKNOWN
        yield Feature(name=key, dtype=dtype, shape=None, has_default=True)


def _dense(seen: picture.Picture, vertex: flow.Vertex, keys: list[str], first: int) -> Iterator[Feature]:
    if vertex.node is None:
        return
    dtypes = vertex.node.attribute("Tdense").dtypes()
    shapes = vertex.node.attribute("dense_shapes").shapes()
    for i, key in enumerate(keys):
        shape = shapes[i] if i < len(shapes) else None
        any_length = shape is None or -1 in shape
        yield Feature(
            name=key,
            dtype=dtypes[i] if i < len(dtypes) else _UNKNOWN,
            shape=None if any_length else shape,
            has_default=any_length or _has_values(seen, vertex.data[first + i : first + i + 1]),
        )


def _has_values(seen: picture.Picture, default: list[int]) -> bool:
    """Whether a default is no empty constant, which stands for none."""
    for index in default:
        vertex = seen.source(index)
        tensor = vertex.node.attribute("value").tensor if vertex.op == "Const" and vertex.node else None
        if tensor is not None and 0 in protos.constant_shape(tensor):
            return False
    return bool(default)


def _strings(seen: picture.Picture, index: int) -> list[str]:
    vertex = seen.source(index)
    tensor = vertex.node.attribute("value").tensor if vertex.op == "Const" and vertex.node else None
    return protos.constant_strings(tensor) if tensor is not None else []
