"""The pages of the documentation, taken apart."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ]
)

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of code."""

    page: Path
    language: str
    title: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in _blocks_of(page) if block.language == language]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        language, _, rest = found["info"].strip().partition(" ")
        title = rest.partition('title="')[2].rstrip('"')
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page=page, language=language, title=title, text=found["text"], line=line)


def documents() -> list[tuple[Block, Any]]:
    """Every document in a YAML block."""
    return [(block, document) for block in blocks("yaml") for document in yaml.safe_load_all(block.text)]


def code(page: Path) -> str:
    """All code of a page: that in fences, and that within a line."""
    text = page.read_text()
    fenced = [found["text"] for found in _FENCE.finditer(text)]
    return "\n".join([*fenced, *_INLINE.findall(_FENCE.sub("", text))])


def links(page: Path) -> list[str]:
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors that both GitHub and the site give the headings of a page."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}
