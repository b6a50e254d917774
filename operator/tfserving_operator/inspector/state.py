"""What a prediction reads beside its input, and what it leaves behind."""

from collections.abc import Iterator

from tfserving_operator.core.inspection import Clue
from tfserving_operator.inspector import flow, ops, picture


def find(seen: picture.Picture) -> Iterator[tuple[Clue, str]]:
    """Find the clock, and ops that change variables or tables."""
    if clocks := seen.matching(lambda op: op in ops.CLOCK):
        yield Clue.TimeOps, f"it reads the clock: {seen.told(clocks)}"
    if updates := seen.matching(ops.UPDATES.fullmatch, seen.executed):
        yield Clue.StateUpdates, f"each prediction runs {seen.told(updates)}"
    if initialised := _initialised(seen):
        names = ", ".join(sorted(initialised)[:3])
        yield (
            Clue.VariablesInitialised,
            f"the init op assigns {len(initialised)} variables that predictions read, after they were restored: {names}",
        )


def _initialised(seen: picture.Picture) -> set[str]:
    """Variables that predictions read, that the checkpoint restores, and that the init op assigns afterwards."""
    graph = seen.graph
    if not graph.init_ops or graph.by_name is None or graph.library is None:
        return set()
    used = _variables(seen.ways, seen.data)
    if not used:
        return set()
    found = flow.Flow(graph.by_name, graph.library, graph.steps)
    assigned: set[str] = set()
    for index in found.back(found.fetch(graph.init_ops), control=True):
        vertex = found.vertices[index]
        if vertex.op not in ops.ASSIGNS or len(vertex.data) < 2:  # noqa: PLR2004 - a variable, and its value
            continue
        value = found.back(vertex.data[1:])
        if not any(found.vertices[i].op.startswith("Restore") for i in value):
            assigned |= _variables(found, found.back(vertex.data[:1]))
    restored = _variables(found, found.back(found.fetch([graph.restore_op]), control=True))
    return used & assigned & (restored or used)


def _variables(found: flow.Flow, vertices: set[int]) -> set[str]:
    return {found.vertices[i].name for i in vertices if found.vertices[i].op in ops.VARIABLES}
