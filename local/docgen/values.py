"""The chart's values as a table: each with its default and the comment above it, which begins with ``# --``."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from local.docgen import tables

_MARK = "# --"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value of the chart."""

    path: str
    default: object
    text: str


def read(path: Path) -> list[Value]:
    """Return the values in their order.

    Raises
    ------
    ValueError
        When one of them says nothing about itself.
    """
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), f"{path} holds no values"
    return list(_values_in(root, yaml.safe_load(text), "", text.splitlines()))


def render(path: Path) -> str:
    """Return the table."""
    rows = [(f"`{v.path}`", f"`{json.dumps(v.default)}`", v.text) for v in read(path)]
    return tables.render(("Value", "Default", "What it is"), rows)


def _values_in(
    node: yaml.MappingNode, defaults: dict[str, object], above: str, lines: Sequence[str]
) -> Iterator[Value]:
    for key, value in node.value:
        path = f"{above}{key.value}"
        default, text = defaults[key.value], _comment_above(key.start_mark.line, lines)
        if text:
            yield Value(path=path, default=default, text=text)
        elif isinstance(value, yaml.MappingNode) and isinstance(default, dict) and default:
            yield from _values_in(value, default, f"{path}.", lines)
        else:
            raise ValueError(f"{path} has no comment that begins with {_MARK!r}")


def _comment_above(line: int, lines: Sequence[str]) -> str:
    """The comment that stands right above a line, from its mark on; "" where there is none."""
    found: list[str] = []
    for each in reversed(lines[:line]):
        words = each.strip()
        if not words.startswith("#"):
            return ""
        if words.startswith(_MARK):
            return " ".join([words.removeprefix(_MARK).strip(), *reversed(found)])
        found.append(words.removeprefix("#").strip())
    return ""
