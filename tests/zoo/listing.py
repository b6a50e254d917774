"""The catalogue as Markdown, for the docs: what is in the zoo, what is expected, and what nobody could decide."""

from collections.abc import Iterator, Sequence

from tests.zoo import entries


def markdown(chosen: Sequence[entries.Entry]) -> str:
    """A table of faults, one of healthy models, and the proofs of what is undecidable without goldens."""
    faults = [entry for entry in chosen if entry.kind is entries.Kind.Fault]
    sound = [entry for entry in chosen if entry.kind is entries.Kind.Healthy]
    lines = [
        *_table(("Situation", "Model", "Architecture", "Cause", "Without goldens"), map(_fault, faults)),
        "",
        *_table(
            ("Temptation", "Model", "Architecture"), ((e.situation, e.name, e.architecture) for e in sound)
        ),
        "",
        *_table(("Model", "Tested with", "Why it cannot be decided"), _undecidable(faults)),
        "",
        *_table(("Model", "Any of", "Why they cannot be told apart"), _several(faults)),
    ]
    return "\n".join(lines)


def _fault(entry: entries.Entry) -> tuple[str, ...]:
    blind = [each for each in (entries.Inputs.Cases, entries.Inputs.Made) if each in entry.inputs()]
    found = [str(each) for each in blind if entry.expected(each) is not None]
    return entry.situation, entry.name, entry.architecture, _causes(entry), " and ".join(found) or "-"


def _causes(entry: entries.Entry) -> str:
    return " or ".join(sorted(entry.causes))


def _undecidable(faults: Sequence[entries.Entry]) -> Iterator[tuple[str, ...]]:
    for entry in faults:
        for inputs, reason in entry.undecidable.items():
            if inputs in entry.inputs():
                yield entry.name, str(inputs), reason


def _several(faults: Sequence[entries.Entry]) -> Iterator[tuple[str, ...]]:
    return ((entry.name, _causes(entry), entry.why_several) for entry in faults if len(entry.causes) > 1)


def _table(headings: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
