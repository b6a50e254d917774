"""Which words the lookup tables of a model know, as far as the graph and its assets tell."""

from dataclasses import dataclass
from typing import Final

from tfserving_operator.inspector import flow, ops, protos, savedmodel

MAX_WORDS: Final = 8
_SKIPPED: Final = ("[", "<", "#", "{")
"""What special tokens begin with: [UNK], <pad>, ##ing."""
_WORD_CHARACTERS: Final = 24
_LOOKED_AT: Final = 4096


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
    tables: dict[str, Table] = {}
    for index in sorted(ways.back(ways.fetch(graph.init_ops), control=True)):
        vertex = ways.vertices[index]
        if len(vertex.data) < 2 or vertex.op not in ops.TABLE_FILES | ops.TABLE_WORDS:  # noqa: PLR2004 - a table, and its keys
            continue
        name = ways.vertices[ways.source(vertex.data[0])].name
        source = ways.vertices[ways.source(vertex.data[1])]
        if vertex.op in ops.TABLE_FILES:
            file = graph.asset_files.get(f"{source.name}:0") or graph.asset_files.get(source.name, "")
            tables[name] = Table(file=file)
        elif source.node is not None and (tensor := source.node.attribute("value").tensor) is not None:
            tables[name] = Table(words=sample(protos.constant_strings(tensor, _LOOKED_AT)))
    return tables


def sample(words: list[str]) -> tuple[str, ...]:
    """A few plain words out of a vocabulary, spread over the head of it, where the frequent ones are."""
    plain = [
        word for word in words if word.strip() and len(word) <= _WORD_CHARACTERS and word[0] not in _SKIPPED
    ]
    distinct = list(dict.fromkeys(plain))
    step = max(len(distinct) // MAX_WORDS, 1)
    return tuple(distinct[::step][:MAX_WORDS])
