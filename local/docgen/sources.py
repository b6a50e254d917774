"""What sources say about themselves: words with the sentences that follow them, metrics, settings."""

import ast
import dataclasses
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

_SECTION = re.compile(r"    # (.+)")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One value of an enumeration."""

    value: str
    meaning: str
    """Reads on from the value: "means ..."."""
    section: str = ""
    """The comment that stands above its group."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric, named as Prometheus sees it."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()


def words_of(place: Path, name: str) -> list[Word]:
    """Return the values of a StrEnum, in a file or anywhere below a folder, with the strings that follow them.

    Raises
    ------
    ValueError
        When there is no such class, or one of its values says nothing about itself.
    """
    path, found = _find_class(place, name)
    lines = path.read_text().splitlines()
    words = []
    for statement, after in itertools.pairwise([*found.body, ast.Pass()]):
        match statement:
            case ast.Assign(value=ast.Constant(value=str() as value)):
                meaning = _text(after)
                if not meaning:
                    raise ValueError(f"{path}: {name}.{value} does not say what it means")
                section = _section(lines, found.lineno, statement.lineno)
                words.append(Word(value=value, meaning=meaning, section=section))
            case _:
                pass
    return words


def _find_class(place: Path, name: str) -> tuple[Path, ast.ClassDef]:
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return path, node
    raise ValueError(f"{place} has no class {name}")


def _text(statement: ast.stmt) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            return " ".join(inspect.cleandoc(text).split())
        case _:
            return ""


def _section(lines: list[str], first: int, last: int) -> str:
    for line in reversed(lines[first : last - 1]):
        if matched := _SECTION.fullmatch(line):
            return matched.group(1)
    return ""


def attributes_of(path: Path, name: str) -> dict[str, str]:
    """Return the strings that follow the annotated attributes of a class."""
    _, found = _find_class(path, name)
    return {
        statement.target.id: _text(after)
        for statement, after in itertools.pairwise([*found.body, ast.Pass()])
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def metrics_of(root: Path) -> list[Metric]:
    """Return the metrics that the sources below a folder make, in the order of their names."""
    found = [metric for path in root.rglob("*.py") for metric in _metrics_in(ast.parse(path.read_text()))]
    return sorted(found, key=lambda metric: metric.name)


def _metrics_in(tree: ast.Module) -> Iterator[Metric]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=("_counter" | "_histogram" | "gauge" | "gauges") as kind),
                args=[ast.Constant(value=str() as name), ast.Constant(value=str() as text), *labels],
            ):
                suffix = "_total" if kind == "_counter" else ""
                names = [ast.literal_eval(label) for label in labels] if kind != "gauge" else ()
                yield Metric(
                    name=f"tfserving_operator_{name}{suffix}",
                    kind=kind.removeprefix("_").removesuffix("s"),
                    text=text,
                    labels=tuple(names),
                )
            case _:
                pass
