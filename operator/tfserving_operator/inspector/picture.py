"""One signature's part of the graph: what its outputs need, and what its inputs reach."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tfserving_operator.inspector import flow, ops, savedmodel

_SHOWN: Final = 2
_NAME_CHARACTERS: Final = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What clues are looked for in."""

    graph: savedmodel.Graph
    signature: str
    ways: flow.Flow
    inputs: dict[str, tuple[int, ...]]
    """By input: the vertices that are fed; () where nothing needs it."""
    outputs: dict[str, tuple[int, ...]]
    data: set[int]
    """What the outputs are computed from."""
    executed: set[int]
    """What runs for them, beside."""
    touched: set[int]
    """What the values of any input reach."""
    light: set[int]
    """What they reach before weights or tables change them beyond recognition."""
    users: dict[int, list[int]]
    """What each vertex of the data is used for."""

    def vertex(self, index: int) -> flow.Vertex:
        """Give a vertex by its number."""
        return self.ways.vertices[index]

    def matching(self, is_wanted: Callable[[str], object], within: set[int] | None = None) -> list[int]:
        """Vertices whose op is wanted, in a stable order."""
        return sorted(i for i in (self.data if within is None else within) if is_wanted(self.vertex(i).op))

    def steps_back(self, index: int, most: int = 8) -> Iterator[int]:
        """A vertex and those that it passes on, up to so many steps back."""
        seen = {index}
        edge = [index]
        for _ in range(most):
            yield from edge
            edge = [
                other
                for each in edge
                if self.vertex(each).op in ops.STEPS or each == index
                for other in self.vertex(each).data
                if other not in seen and not seen.add(other)  # type: ignore[func-returns-value] # adds it
            ][:most]

    def source(self, index: int) -> flow.Vertex:
        """The vertex whose value this one passes on."""
        return self.vertex(self.ways.source(index))

    def told(self, found: Iterable[int]) -> str:
        """Name vertices: their ops with how many there are, and the first one's place."""
        counts: dict[str, int] = {}
        names: list[str] = []
        for index in found:
            vertex = self.vertex(index)
            op = vertex.node.op if vertex.node else vertex.op
            counts[op] = counts.get(op, 0) + 1
            names.append(vertex.name)
        listed = ", ".join(
            f"{op} x{count}" if count > 1 else op for op, count in list(counts.items())[:_SHOWN]
        )
        more = ", …" if len(counts) > _SHOWN else ""
        return f"{listed}{more} at {names[0][-_NAME_CHARACTERS:]}" if names else ""


def draw(graph: savedmodel.Graph, signature: str) -> Picture | None:
    """Draw the picture of a signature; None when it cannot be drawn.

    Raises
    ------
    wire.BudgetError
        When it would take too long.
    """
    wiring = graph.wiring.get(signature)
    if wiring is None or graph.by_name is None or graph.library is None:
        return None
    fed = [tensor for tensors in wiring.inputs.values() for tensor in tensors]
    found = flow.Flow(graph.by_name, graph.library, graph.steps, fed)
    outputs = {name: tuple(found.fetch(tensors)) for name, tensors in wiring.outputs.items()}
    inputs = {
        name: tuple(vertex for tensor in tensors if (vertex := found.fed(tensor)) is not None)
        for name, tensors in wiring.inputs.items()
    }
    roots = [vertex for vertices in outputs.values() for vertex in vertices]
    data = found.back(roots)
    starts = [vertex for vertices in inputs.values() for vertex in vertices]

    def hides(index: int) -> bool:
        return found.vertices[index].op in flow.SHAPE_OPS

    def changes(index: int) -> bool:
        return hides(index) or ops.HEAVY.fullmatch(found.vertices[index].op) is not None

    return Picture(
        graph=graph,
        signature=signature,
        ways=found,
        inputs=inputs,
        outputs=outputs,
        data=data,
        executed=found.back(roots, control=True),
        touched=found.forward(starts, data, hides),
        light=found.forward(starts, data, changes),
        users=found.users(data),
    )
