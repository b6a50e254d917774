"""Every model of the zoo."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.zoo import entries
from tests.zoo.families import conv, dense, dense_numbers

FAMILIES: Final[tuple[ModuleType, ...]] = (dense, dense_numbers, conv)
ENTRIES: Final[tuple[entries.Entry, ...]] = tuple(entry for family in FAMILIES for entry in family.ENTRIES)


def chosen(names: Sequence[str] = ()) -> tuple[entries.Entry, ...]:
    """The entries of these names, or all."""
    known = {entry.name: entry for entry in ENTRIES}
    if len(known) != len(ENTRIES):
        raise ValueError("two models of the zoo have one name")
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"the zoo has no {', '.join(unknown)}")
    return tuple(known[name] for name in names) if names else ENTRIES


def family_of(entry: entries.Entry) -> Path:
    """The source that an entry is written in."""
    return next(Path(str(family.__file__)) for family in FAMILIES if entry in family.ENTRIES)
