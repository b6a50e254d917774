"""What the graph tells of the values that its inputs may take: ids, words, images, serialised examples."""

from collections.abc import Mapping
from typing import Final

from tfserving_operator.core import inspection
from tfserving_operator.core.inspection import Hint, Reads
from tfserving_operator.inspector import ops, picture, protos, tables

_ANY_WORDS: Final = ("red", "green", "blue", "one", "two", "three", "north", "south")
"""For what hashes its words: it knows them all."""
_OTHER_WORD: Final = "other"
"""Beside those that strings are compared with."""
_ID_STEPS: Final = (
    ops.STEPS | ops.RESHAPES | {"SelectV2", "Select", "Minimum", "Maximum", "ClipByValue", "Pack", "ConcatV2"}
)
_COMPARES: Final = frozenset({"Equal", "NotEqual"})
_MAX_INPUTS: Final = 64


def find(
    seen: picture.Picture, signature: inspection.Signature, words: Mapping[str, tuple[str, ...]]
) -> dict[str, Hint]:
    """Find hints for the inputs of a signature.

    Parameters
    ----------
    words
        Words that a lookup table knows, by the name of its node.
    """
    found: dict[str, Hint] = {}
    for name, tensor in list(signature.inputs.items())[:_MAX_INPUTS]:
        vertices = seen.inputs.get(name, ())
        if not vertices:
            continue
        hint = _string(seen, vertices, words) if tensor.dtype == "DT_STRING" else _ids(seen, vertices)
        if hint != Hint():
            found[name] = hint
    return found


def _ids(seen: picture.Picture, vertices: tuple[int, ...]) -> Hint:
    """How many ids the smallest table has that the input indexes."""
    passed = seen.ways.forward(vertices, seen.data, lambda i: seen.vertex(i).op not in _ID_STEPS)
    sizes = [
        size
        for each in passed
        for user in seen.users.get(each, ())
        if (size := _table_size(seen, user, each)) > 0
    ]
    return Hint(ids=min(sizes, default=0))


def _table_size(seen: picture.Picture, index: int, ids: int) -> int:
    vertex = seen.vertex(index)
    if vertex.op == "OneHot" and vertex.data[0] == ids and len(vertex.data) > 1:
        depth = seen.source(vertex.data[1])
        tensor = depth.node.attribute("value").tensor if depth.op == "Const" and depth.node else None
        return next(iter(protos.constant_integers(tensor)), 0) if tensor is not None else 0
    if vertex.op not in ops.GATHERS or len(vertex.data) < 2 or vertex.data[1] != ids:  # noqa: PLR2004 - a table, and ids
        return 0
    table = seen.source(vertex.data[0])
    if table.node is None:
        return 0
    if table.op in ops.VARIABLES:
        shape = table.node.attribute("shape").shape or ()
    else:
        tensor = table.node.attribute("value").tensor if table.op == "Const" else None
        shape = protos.constant_shape(tensor) if tensor is not None else ()
    return shape[0] if len(shape) > 0 else 0


def _string(seen: picture.Picture, vertices: tuple[int, ...], words: Mapping[str, tuple[str, ...]]) -> Hint:
    ends = ops.IMAGES | ops.EXAMPLES | ops.NUMBERS | ops.LOOKUPS | ops.HASHES
    passed = seen.ways.forward(vertices, seen.data, lambda i: seen.vertex(i).op in ends)
    reached = sorted({user for each in passed for user in seen.users.get(each, ())})
    kinds = {seen.vertex(index).op for index in reached}
    if kinds & ops.EXAMPLES:
        return Hint(reads=Reads.Examples)
    if kinds & ops.IMAGES:
        return Hint(reads=Reads.Image)
    if kinds & (ops.LOOKUPS | ops.HASHES):
        reads = Reads.Text if kinds & ops.SPLITS else Reads.Words
        lookups = [index for index in reached if seen.vertex(index).op in ops.LOOKUPS]
        known = tuple(dict.fromkeys(w for index in lookups for w in _words_of(seen, index, words)))
        any_will_do = not lookups and kinds & ops.HASHES
        return Hint(reads=reads, words=_ANY_WORDS if any_will_do else known[: tables.MAX_WORDS])
    if kinds & ops.NUMBERS:
        return Hint(reads=Reads.Number)
    if compared := _compared(seen, passed, reached):
        return Hint(reads=Reads.Words, words=(*tables.sample(compared), _OTHER_WORD))
    if all(seen.vertex(index).op in ops.STEPS | ops.RESHAPES for index in reached):
        return Hint(reads=Reads.Words, words=_ANY_WORDS)  # what is given back as it came, such as a key
    return Hint()


def _compared(seen: picture.Picture, passed: set[int], reached: list[int]) -> list[str]:
    """Constants that an input is compared with."""
    found: list[str] = []
    for index in reached:
        vertex = seen.vertex(index)
        if vertex.op in _COMPARES:
            others = [seen.source(other) for other in vertex.data if other not in passed]
            tensors = [s.node.attribute("value").tensor for s in others if s.op == "Const" and s.node]
            found += [word for tensor in tensors if tensor for word in protos.constant_strings(tensor)]
    return found


def _words_of(seen: picture.Picture, lookup: int, words: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    data = seen.vertex(lookup).data
    return words.get(seen.source(data[0]).name, ()) if data else ()
