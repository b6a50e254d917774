"""Tables of the fields of pydantic models, read together with the CRD's schema."""

import dataclasses
import enum
import json
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from local.docgen import sources, tables
from tfserving_operator.api import schema

FOREIGN_MODULE = "tfserving_operator.api.scheduling"
"""Its models are Kubernetes' own, field by field: the reader knows them, or where to look."""

_PYTHON_NONE = re.compile(r"^None\b")

_SAID_DEFAULT = re.compile(r"\s*Default [^\s:]+\.$")
"""A default that a description repeats: it has a column of its own."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One field."""

    name: str
    kind: str
    default: str
    text: str
    meanings: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """The fields of one object."""

    path: str
    text: str
    rows: tuple[Row, ...]


def render(root: type[pydantic.BaseModel], path: str, *, is_written: bool) -> str:
    """Return one table for each object below a model.

    Parameters
    ----------
    root
        The model.
    path
        What the reader calls it.
    is_written
        Whether people write the object: then they want to know defaults, and what each word means.
    """
    parts = []
    for section in _sections(root, schema.build_schema(root), path, root.__doc__ or ""):
        parts.append(f"### `{section.path}`\n\n{section.text}\n")
        parts.append(_table(section, is_written=is_written))
    return "\n".join(parts)


def _table(section: Section, *, is_written: bool) -> str:
    if not is_written:
        rows = [(row.name, row.kind, _PYTHON_NONE.sub("Absent", row.text)) for row in section.rows]
        return tables.render(("Field", "Type", "What it is"), rows)
    full = [(row.name, row.kind, row.default, f"{row.text}{row.meanings}") for row in section.rows]
    return tables.render(("Field", "Type", "Default", "What it is"), full)


def _sections(
    model: type[pydantic.BaseModel], node: Mapping[str, Any], path: str, text: str
) -> Iterator[Section]:
    rows: list[Row] = []
    deeper: list[Section] = []
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        part = node["properties"][name]
        inner = _model_in(field.annotation)
        is_ours = inner is not None and inner.__module__ != FOREIGN_MODULE
        at = f"{path}.{name}{'[]' if part.get('type') == 'array' else ''}"
        description = _SAID_DEFAULT.sub("", part.get("description", ""))
        if inner is not None and is_ours:
            target = part["items"] if part.get("type") == "array" else part
            deeper += _sections(inner, target, at, (inner.__doc__ or "").strip())
            seen = f"{description} See [`{at}`](#{tables.anchor(at)})."
            row = Row(name=f"`{name}`", kind=_type(part), default=_default(field, is_object=True), text=seen)
        else:
            row = Row(
                name=f"`{name}`",
                kind="as in a Pod" if inner is not None else _type(part),
                default=_default(field, is_object=False),
                text=description,
                meanings=_meanings(field.annotation),
            )
        rows.append(row)
    yield Section(path=path, text=text.strip(), rows=tuple(rows))
    yield from deeper


def _parts(annotation: object) -> Iterator[object]:
    yield annotation
    if typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _parts(part)


def _model_in(annotation: object) -> type[pydantic.BaseModel] | None:
    models = (p for p in _parts(annotation) if isinstance(p, type) and issubclass(p, pydantic.BaseModel))
    return next(models, None)


def _meanings(annotation: object) -> str:
    """What each value of an enumeration means."""
    enums = (p for p in _parts(annotation) if isinstance(p, type) and issubclass(p, enum.Enum))
    kind = next(enums, None)
    if kind is None or kind.__module__ == FOREIGN_MODULE:
        return ""
    path = Path(str(sys.modules[kind.__module__].__file__))
    said = (f"`{w.value}` {w.meaning}" for w in sources.words_of(path, kind.__name__))
    return " " + "; ".join(said) + "."


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return "number or percentage" if "%" in node.get("pattern", "") else "quantity"
    match node.get("type"):
        case "array":
            return f"list of {_plural(_type(node['items']))}"
        case "object" if isinstance(node.get("additionalProperties"), Mapping):
            return f"map of {_plural(_type(node['additionalProperties']))}"
        case "integer" | "number" as kind:
            return f"{kind}{_range(node)}"
        case None:
            return "anything"
        case kind:
            return str(kind)


def _plural(kind: str) -> str:
    return {"quantity": "quantities", "anything": "anything"}.get(
        kind, f"{kind}s" if kind.isalpha() else kind
    )


def _range(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    is_open = most is None or most >= 2**31 - 1
    if least is None:
        return ""
    return f", {least:g} or more" if is_open else f", {least:g} to {most:g}"


def _default(field: FieldInfo, *, is_object: bool) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if is_object or value is None or value in ((), {}, ""):
        return ""
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    return f"`{json.dumps(value)}`"
