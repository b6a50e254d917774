"""Texts: in another case, without punctuation, or as the tokens that the model takes."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import grading, units

Array = units.Array
_SPACES: Final = re.compile(r"\s+")
_WORDS: Final = re.compile(r"\w+|[^\w\s]")
_ONLY_WORDS: Final = re.compile(r"\w+")
_PUNCTUATION: Final = re.compile(r"[^\w\s]")
_MAX_TOKENS: Final = 512
_MATRIX_RANK: Final = 2

NORMALISED: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("in lower case", str.lower),
    ("in lower case without punctuation", lambda text: _PUNCTUATION.sub("", text.lower()).strip()),
    ("in upper case", str.upper),
    ("without punctuation", lambda text: _PUNCTUATION.sub("", text).strip()),
    ("without spaces around it", str.strip),
    ("capitalised", str.title),
    ("without accents, in lower case", lambda text: _plain(text.lower())),
    ("in Unicode's composed form", lambda text: unicodedata.normalize("NFC", text)),
    ("in Unicode's decomposed form", lambda text: unicodedata.normalize("NFD", text)),
)
"""How texts are normalised before they are looked up."""
TOKENISED: Final[tuple[tuple[str, Callable[[str], list[str]]], ...]] = (
    ("split at spaces", lambda text: _SPACES.split(text.strip())),
    ("split at spaces, in lower case", lambda text: _SPACES.split(text.strip().lower())),
    ("split into words and punctuation", _WORDS.findall),
    ("split into lower-case words", lambda text: _ONLY_WORDS.findall(text.lower())),
    ("split into words", _ONLY_WORDS.findall),
)
"""How texts are cut into tokens."""


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def texts(sample: units.Sample) -> tuple[str, ...]:
    """The inputs that hold text rather than encoded bytes."""
    return tuple(
        name
        for name in sample.named("O")
        if all(isinstance(leaf, str) for unit in sample.units for leaf in unit.columns[name].flat)
    )


def candidates(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Every other form of the texts that changes any of them."""
    names = texts(sample)
    if not names:
        return
    for text, function in NORMALISED:
        if _changes(sample, names, function):
            yield grading.Candidate(
                when=f"the text is {text}",
                cause=causes.Cause.OutOfVocabulary,
                change=_mapped(names, function),
                group=text,
            )
    for name in names:
        yield from _tokenised(sample, name)


def _changes(sample: units.Sample, names: tuple[str, ...], function: Callable[[str], str]) -> bool:
    return any(
        function(leaf) != leaf for u in sample.units for name in names for leaf in u.columns[name].flat
    )


def _mapped(
    names: tuple[str, ...], function: Callable[[str], str]
) -> Callable[[units.Columns], units.Columns]:
    def change(columns: units.Columns) -> units.Columns:
        return {name: _each(a, function) if name in names else a for name, a in columns.items()}

    return change


def _each(array: Array, function: Callable[[str], Any]) -> Array:
    changed = np.empty(array.shape, dtype=object)
    changed.reshape(-1)[:] = [function(leaf) for leaf in array.flat]
    return changed


def _tokenised(sample: units.Sample, name: str) -> Iterator[grading.Candidate]:
    arrays = [unit.columns[name] for unit in sample.units]
    if not any(_SPACES.search(leaf.strip()) for array in arrays for leaf in array.flat):
        return
    for text, split in TOKENISED:
        longest = max(len(row) for array in arrays for row in _token_rows(array, split))
        for size, filler in _forms(sample, name, longest):

            def change(
                columns: units.Columns,
                split: Callable[[str], list[str]] = split,
                size: int = size,
                filler: str = filler,
            ) -> units.Columns:
                rows = [_padded(row, size, filler) for row in _token_rows(columns[name], split)]
                return {**columns, name: np.array(rows, dtype=object)}

            when = f"the text is {text}"
            group = f"{when} {size} {filler}"
            yield grading.Candidate(
                when=when,
                cause=causes.Cause.RawText,
                change=change,
                group=group,
                tier=grading.Tier.Swap,  # lower case alone is simpler than words in lower case
            )


def _forms(sample: units.Sample, name: str, longest: int) -> list[tuple[int, str]]:
    """How many tokens a row holds, and what it is padded with."""
    shape = sample.signature.inputs[name].shape
    array = sample.units[0].columns[name]
    if shape is not None and len(shape) == _MATRIX_RANK and shape[1] > 0:
        size = shape[1]
    elif array.ndim == _MATRIX_RANK and array.shape[1] > 1:
        size = array.shape[1]
    else:
        size = longest
    return [(min(size, _MAX_TOKENS), filler) for filler in ("", "<pad>")]


def _token_rows(array: Array, split: Callable[[str], list[str]]) -> list[list[str]]:
    """The tokens of each row; a text that is repeated to fill its row counts once."""
    rows = []
    for row in array.reshape(len(array), -1):
        leaves = [leaf for leaf in dict.fromkeys(row) if leaf.strip()]
        rows.append([token for leaf in leaves for token in split(leaf) if token])
    return rows


def _padded(tokens: list[str], size: int, filler: str) -> list[str]:
    return (tokens + [filler] * size)[:size]


def vocabulary(sample: units.Sample, words: tuple[str, ...]) -> Iterator[grading.Candidate]:
    """Other words in the place of each text: those that the model knows."""
    names = texts(sample)
    if not names or not words:
        return
    seen = {unit.case + str(unit.row): i for i, unit in enumerate(sample.units)}
    for length in (1, 3):

        def change(columns: units.Columns, length: int = length) -> units.Columns:
            index = _index(sample, columns, seen)
            said = [words[(index * length + k) % len(words)] for k in range(length)]
            return {n: _filled(a, said) if n in names else a for n, a in columns.items()}

        yield grading.Candidate(
            when="the text is made of words that the model knows",
            cause=causes.Cause.OutOfVocabulary,
            change=change,
            group=f"known words {length}",
        )


def _index(sample: units.Sample, columns: units.Columns, seen: dict[str, int]) -> int:
    return next((seen[u.case + str(u.row)] for u in sample.units if u.columns is columns), 0)


def _filled(array: Array, words: list[str]) -> Array:
    changed = np.empty(array.shape, dtype=object)
    if array.ndim == 1 or array.shape[1] == 1:
        changed[...] = " ".join(words)
    else:
        for row in changed.reshape(len(changed), -1):
            row[:] = _padded(words, len(row), "")
    return changed
