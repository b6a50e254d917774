"""Types on the way from the inputs to the outputs."""

import re
from collections.abc import Iterator
from typing import Final

from tfserving_operator.core.inspection import Clue
from tfserving_operator.inspector import ops, picture, protos

_TYPED: Final = {"Cast": "DstT", "VarHandleOp": "dtype", "VariableV2": "dtype", "Const": "dtype"}
_MASK_NAME: Final = re.compile(r"(^|[^a-z])masks?([^a-z]|$)", re.IGNORECASE)
_FAR: Final = 12
"""Steps within which a cast that makes ids comes to its table."""


def find(seen: picture.Picture) -> Iterator[tuple[Clue, str]]:
    """Find low precision, quantisation, values that are cut to integers, and masks."""
    typed = {index: _dtype(seen, index) for index in seen.matching(_TYPED.__contains__)}
    if halves := [index for index, dtype in typed.items() if dtype in ops.HALF_TYPES]:
        yield Clue.LowPrecision, f"{typed[halves[0]][3:].lower()}: {seen.told(halves)}"
    quantised = seen.matching(ops.QUANTISED.fullmatch)
    quantised += [
        index
        for index, dtype in typed.items()
        if dtype in ops.QUANTISED_TYPES and seen.vertex(index).op in ops.VARIABLES
    ]
    if quantised:
        yield Clue.Quantised, seen.told(quantised)
    if cut := [index for index in typed if _is_cut(seen, index, typed[index])]:
        yield Clue.IntegerCast, f"fractions are cut off: {seen.told(cut)}"
    named = [name for name in seen.inputs if _MASK_NAME.search(name)]
    if named:
        yield Clue.MaskInput, f"the input {named[0]}"
    elif compared := [
        index for index in seen.matching(lambda op: op == "NotEqual") if _is_padding(seen, index)
    ]:
        yield Clue.MaskInput, f"ids are compared with the padding id: {seen.told(compared)}"


def _dtype(seen: picture.Picture, index: int) -> str:
    vertex = seen.vertex(index)
    return vertex.node.attribute(_TYPED[vertex.op]).dtype if vertex.node else ""


def _is_cut(seen: picture.Picture, index: int, dtype: str) -> bool:
    vertex = seen.vertex(index)
    # Not to int8: quantisation rounds by intent
    if (
        vertex.op != "Cast"
        or dtype not in ops.INTEGER_TYPES - ops.QUANTISED_TYPES
        or index not in seen.touched
        or not vertex.node
    ):
        return False
    return vertex.node.attribute("SrcT").dtype in ops.FLOAT_TYPES and not _makes_ids(seen, index)


def _makes_ids(seen: picture.Picture, index: int) -> bool:
    edge = {index}
    reached = set(edge)
    for _ in range(_FAR):
        edge = {user for each in edge for user in seen.users.get(each, ())} - reached
        if any(seen.vertex(i).op in ops.GATHERS or seen.vertex(i).op == "OneHot" for i in edge):
            return True
        reached |= edge
    return False


def _is_padding(seen: picture.Picture, index: int) -> bool:
    vertex = seen.vertex(index)
    if vertex.scope in seen.ways.looped or not any(other in seen.light for other in vertex.data):
        return False
    sources = [seen.source(other) for other in vertex.data]
    tensors = [s.node.attribute("value").tensor for s in sources if s.op == "Const" and s.node]
    return any(tensor is not None and set(protos.constant_integers(tensor)) <= {0} for tensor in tensors)
