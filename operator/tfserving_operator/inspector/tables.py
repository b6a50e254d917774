"""Which words the lookup tables of a model know, as far as the graph and its assets tell."""

from dataclasses import dataclass
from typing import Final

from tfserving_operator.inspector import flow, ops, protos, savedmodel

MAX_WORDS: Final = 8
_SKIPPED: Final = ("[", "<", "#", "{")
"""What special tokens begin with: [UNK], <pad>, ##ing."""
_WORD_CHARACTERS: Final = 24
_LOOKED_AT: Final = 4096
_FILLING: Final = ops.TABLE_FILES | ops.TABLE_WORDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What a lookup table is filled with when the model is loaded."""

    file: str = ""
    """Name of the asset that is read."""
    words: tuple[str, ...] = ()


def find(graph: savedmodel.Graph) -> dict[str, Table]:
    """Find the tables that the init op fills, by the name of their node."""
    if not graph.init_ops or graph.by_name is None or graph.library is None:
        return {}
    ways = flow.Flow(graph.by_name, graph.library, graph.steps)
    run = sorted(ways.back(ways.fetch(graph.init_ops), control=True))
    pairs = {index: _pair(ways, index) for index in run if ways.vertices[index].op in _FILLING | ops.ASSIGNS}
    # TensorFlow 2 keeps an asset's path in a variable, which the init op assigns first
    paths = {
        pair[0].name: pair[1].name
        for index, pair in pairs.items()
        if pair and ways.vertices[index].op in ops.ASSIGNS
    }
    tables: dict[str, Table] = {}
    for index, pair in pairs.items():
        op = ways.vertices[index].op
        if pair is None or op in ops.ASSIGNS:
            continue
        table, keys = pair
        if op in ops.TABLE_FILES:
            tables[table.name] = Table(file=graph.asset_files.get(f"{paths.get(keys.name, keys.name)}:0", ""))
        elif keys.node is not None and (tensor := keys.node.attribute("value").tensor) is not None:
            tables[table.name] = Table(words=sample(protos.constant_strings(tensor, _LOOKED_AT)))
    return tables


def _pair(ways: flow.Flow, index: int) -> tuple[flow.Vertex, flow.Vertex] | None:
    """What is filled, and with what."""
    data = ways.vertices[index].data
    if len(data) < 2:  # noqa: PLR2004 - as it says
        return None
    return ways.vertices[ways.source(data[0])], ways.vertices[ways.source(data[1])]


def sample(words: list[str]) -> tuple[str, ...]:
    """A few plain words out of a vocabulary, spread over the head of it, where the frequent ones are."""
    plain = [
        word for word in words if word.strip() and len(word) <= _WORD_CHARACTERS and word[0] not in _SKIPPED
    ]
    distinct = list(dict.fromkeys(plain))
    step = max(len(distinct) // MAX_WORDS, 1)
    return tuple(distinct[::step][:MAX_WORDS])
