"""Which outputs can be reached from which inputs."""

from collections.abc import Iterator
from typing import Final

from tfserving_operator.core.inspection import Clue
from tfserving_operator.inspector import flow, ops, picture

_SHOWN: Final = 3
_MAX_OUTPUTS: Final = 32


def find(seen: picture.Picture) -> Iterator[tuple[Clue, str]]:
    """Find outputs that no input reaches. Nothing is said where values may take a way with no edge."""
    if not seen.inputs or not all(seen.outputs.values()) or len(seen.outputs) > _MAX_OUTPUTS:
        return
    if seen.ways.has_gaps:
        return
    inputs = {vertex for vertices in seen.inputs.values() for vertex in vertices}
    hidden = _hidden_ways(seen)
    reached = {
        name: seen.ways.back([*vertices, *hidden], only_values=True)
        for name, vertices in seen.outputs.items()
    }
    if any(_is_unknown(seen, vertex) for found in reached.values() for vertex in found):
        return
    apart = [name for name, found in reached.items() if not found & inputs]
    main = _main_outputs(seen)
    if not apart or not main <= set(apart):
        return  # a constant head beside an answer, such as a list of labels, is nothing amiss
    only = " (but for its shape)" if inputs & seen.data else ""
    yield Clue.InputDisconnected, f"no path leads from {_listed(seen.inputs)}{only} to {_listed(apart)}"
    constant = [name for name in apart if not any(_varies(seen, vertex) for vertex in reached[name])]
    if main <= set(constant):
        variables = any(seen.vertex(v).op in ops.VARIABLES for name in constant for v in reached[name])
        source = "constants and variables" if variables else "constants"
        yield Clue.ConstantOutput, f"{_listed(constant)} depends on {source} only"


def _main_outputs(seen: picture.Picture) -> set[str]:
    """The outputs of real numbers, where there are any: others may be labels, or what was sent."""
    signature = seen.graph.signatures[seen.signature]
    real = {name for name, tensor in signature.outputs.items() if tensor.dtype in ops.FLOAT_TYPES}
    return real or set(signature.outputs)


def unused_inputs(seen: picture.Picture) -> Iterator[str]:
    """Say which inputs no output uses, where others are used."""
    hidden = seen.ways.back(_hidden_ways(seen))
    unused = [name for name, vertices in seen.inputs.items() if not set(vertices) & (seen.data | hidden)]
    if unused and len(unused) < len(seen.inputs):
        yield f"no output depends on the input {_listed(unused)}"


def _hidden_ways(seen: picture.Picture) -> list[int]:
    """What puts values where another node takes them up: an assigned variable, a queue, an iterator."""
    return seen.matching(lambda op: ops.UPDATES.fullmatch(op) or ops.FEEDS_BACK.fullmatch(op), seen.executed)


def _is_unknown(seen: picture.Picture, index: int) -> bool:
    vertex = seen.vertex(index)
    return vertex.node is None and vertex.op not in flow.INNER


def _varies(seen: picture.Picture, index: int) -> bool:
    op = seen.vertex(index).op
    return ops.is_random(op) or op in ops.CLOCK or ops.QUEUES.fullmatch(op) is not None or "PyFunc" in op


def _listed(names: object) -> str:
    given = list(names)  # type: ignore[call-overload]
    return ", ".join(given[:_SHOWN]) + (", …" if len(given) > _SHOWN else "")
