"""All that a graph tells of its signatures: clues, and what the inputs may be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tfserving_operator.core import inspection
from tfserving_operator.inspector import (
    connections,
    features,
    hints,
    picture,
    precision,
    savedmodel,
    state,
    tables,
    training,
    wire,
)

DEFAULT_SIGNATURE: Final = "serving_default"
_MAX_SIGNATURES: Final = 8
"""That are looked at, where it is not known which one is asked for."""

_FINDERS: Final[tuple[Callable[[picture.Picture], Iterator[tuple[inspection.Clue, str]]], ...]] = (
    connections.find,
    state.find,
    training.find,
    precision.find,
)


@dataclass(kw_only=True, slots=True)
class Analysis:
    """What the graph tells."""

    clues: dict[inspection.Clue, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    features: dict[str, tuple[inspection.Feature, ...]] = field(default_factory=dict)
    hints: dict[str, dict[str, inspection.Hint]] = field(default_factory=dict)
    vocabularies: frozenset[str] = frozenset()
    """Names of the assets that lookup tables read."""


def analyse(
    graph: savedmodel.Graph,
    signature: str = "",
    words_of: Callable[[str], tuple[str, ...]] = lambda _file: (),
) -> Analysis:
    """Look at the signature that is asked for, else at the default one, else at all.

    Parameters
    ----------
    words_of
        Reads a few words out of an asset.
    """
    found = Analysis()
    if not graph.complete:
        return found
    wanted = next((name for name in (signature, DEFAULT_SIGNATURE) if name in graph.signatures), None)
    try:
        filled = tables.find(graph)
        found.vocabularies = frozenset(table.file for table in filled.values() if table.file)
        words = {name: table.words or words_of(table.file) for name, table in filled.items()}
        for name in [wanted] if wanted is not None else list(graph.signatures)[:_MAX_SIGNATURES]:
            _look(graph, name, words, found)
    except wire.BudgetError:
        found.findings.append("the graph is too large to be looked at as a whole: clues may be missing here")
    except wire.MalformedError:
        raise
    except Exception as error:  # noqa: BLE001 - no model is held back because clues about it are not found
        found.findings.append(f"the graph could not be looked at as a whole: {type(error).__name__}: {error}")
    return found


def _look(graph: savedmodel.Graph, name: str, words: dict[str, tuple[str, ...]], found: Analysis) -> None:
    seen = picture.draw(graph, name)
    if seen is None:
        return
    for find in _FINDERS:
        for clue, detail in find(seen):
            found.clues.setdefault(clue, detail)
    found.findings += connections.unused_inputs(seen)
    if parsed := features.find(seen):
        found.features[name] = parsed
    if hinted := hints.find(seen, graph.signatures[name], words):
        found.hints[name] = hinted
