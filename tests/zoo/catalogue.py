"""Every model of the zoo."""

from collections.abc import Sequence
from typing import Final

from tests.zoo import entries
from tests.zoo.families import dense

ENTRIES: Final[tuple[entries.Entry, ...]] = (*dense.ENTRIES,)


def chosen(names: Sequence[str] = ()) -> tuple[entries.Entry, ...]:
    """The entries of these names, or all."""
    known = {entry.name: entry for entry in ENTRIES}
    if len(known) != len(ENTRIES):
        raise ValueError("two models of the zoo have one name")
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"the zoo has no {', '.join(unknown)}")
    return tuple(known[name] for name in names) if names else ENTRIES
