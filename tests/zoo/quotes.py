"""Pages that quote what the operator says of a model of the zoo: found, compared, and written anew.

A quote is a text block after a comment `<!-- zoo: NAME -->`. ``python -m tests.zoo.quotes`` writes all of them from
real runs; a test compares them with the run of the whole zoo, digits aside, which another CPU may round otherwise.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.zoo import __main__ as program
from tests.zoo import entries, results

PAGES: Final = Path(__file__).parents[2] / "docs" / "causes" / "situations"
_QUOTE: Final = re.compile(r"(<!-- zoo: (?P<name>[\w-]+) -->\n\n```text\n)(?P<text>.*?)(```)", re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_WIDTH: Final = 118


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A quote of a page."""

    page: str
    name: str
    text: str


def find() -> Iterator[Quote]:
    """Find the quotes of all pages."""
    for page in sorted(PAGES.glob("*.md")):
        for match in _QUOTE.finditer(page.read_text()):
            yield Quote(page=page.name, name=match["name"], text=match["text"])


def said_of(result: results.Result) -> str:
    """Write what the command line prints of a test, its table aside."""
    named = " / ".join(part for part in (result.got.reason, result.got.cause) if part)
    lines = [f"{result.got.verdict} ({named})", *textwrap.wrap(result.got.message, _WIDTH)]
    return "\n".join(lines) + "\n"


def masked(text: str) -> str:
    """Take numbers and line breaks out."""
    return _NUMBER.sub("#", " ".join(text.split()))


def by_name(found: Iterable[results.Result]) -> dict[str, results.Result]:
    """Of each model the test with goldens."""
    return {result.model: result for result in found if result.inputs == entries.Inputs.Goldens}


def write() -> None:
    """Write every quote anew."""
    names = sorted({quote.name for quote in find()})
    said = {name: said_of(result) for name, result in by_name(program.run(names, (1,), jobs=1)).items()}
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text()
        page.write_text(_QUOTE.sub(lambda match: f"{match[1]}{said[match['name']]}{match[4]}", text))


if __name__ == "__main__":
    write()
