"""Every model of the zoo."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.zoo import entries
from tests.zoo.families import (
    conv,
    dense,
    dense_numbers,
    files,
    full_size,
    recurrent,
    shapes,
    tabular,
    tempting,
    text,
    token_ids,
    wiring,
)

FAMILIES: Final[tuple[ModuleType, ...]] = (
    full_size,
    dense,
    dense_numbers,
    conv,
    wiring,
    text,
    token_ids,
    recurrent,
    tabular,
    files,
    tempting,
    shapes,
)
ENTRIES: Final[tuple[entries.Entry, ...]] = tuple(entry for family in FAMILIES for entry in family.ENTRIES)


def chosen(patterns: Sequence[str] = ()) -> tuple[entries.Entry, ...]:
    """The entries whose names match any of the patterns, such as conv-*; all of them without patterns."""
    if len({entry.name for entry in ENTRIES}) != len(ENTRIES):
        raise ValueError("two models of the zoo have one name")
    for pattern in patterns:
        if not fnmatch.filter([entry.name for entry in ENTRIES], pattern):
            raise ValueError(f"the zoo has no {pattern}")
    return tuple(e for e in ENTRIES if not patterns or any(fnmatch.fnmatch(e.name, p) for p in patterns))


def family_of(entry: entries.Entry) -> Path:
    """The source that an entry is written in."""
    return next(Path(str(family.__file__)) for family in FAMILIES if entry in family.ENTRIES)
