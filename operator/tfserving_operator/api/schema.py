"""Structural OpenAPI schemas from pydantic models.

What Kubernetes asks for and pydantic does not give: no ``$ref``, no ``anyOf`` with null, nothing closed by
``additionalProperties: false``. Attribute docstrings become descriptions; they are read here, when the CRD is
written, because reading sources at each import would slow the operator's start.
"""

import ast
import inspect
import itertools
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pydantic

DEFAULT_KEY: Final = "x-crd-default"
"""In json_schema_extra: a default that the API server is to fill in. Defaults of the models stay out."""

_DROPPED: Final = {"title", "default", "propertyNames"}
_SAFE_INTEGER: Final = 2**53
"""Bounds beyond it are not exact as JSON numbers; `format: int64` holds them anyway."""


def _models_in(annotation: object) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    elif typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _models_in(part)


def _all_models(root: type[pydantic.BaseModel]) -> dict[str, type[pydantic.BaseModel]]:
    found: dict[str, type[pydantic.BaseModel]] = {}
    pending = [root]
    while pending:
        model = pending.pop()
        if found.setdefault(model.__name__, model) is not model:
            raise TypeError(f"two models are named {model.__name__}")
        for field in model.model_fields.values():
            pending += (m for m in _models_in(field.annotation) if m.__name__ not in found)
    return found


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, after in itertools.pairwise(body):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, inspect.cleandoc(text)
            case _:
                pass


def _attribute_docs(model: type) -> dict[str, str]:
    """The strings that follow the attributes of a class in its source, those of its bases included."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        module = sys.modules[base.__module__]
        if base.__module__.startswith("tfserving_operator."):
            tree = ast.parse(inspect.getsource(module))
            body = next(
                node.body
                for node in tree.body
                if isinstance(node, ast.ClassDef) and node.name == base.__name__
            )
            docs |= _documented(body)
    return docs


def _inline(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return _inline(node, definitions)
    return {key: _inline(value, definitions) for key, value in node.items()}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """`X | None` as X: what is absent is simply not required."""
    choices = node.get("anyOf", ())
    if {"type": "null"} not in choices:
        return node
    (only,) = (choice for choice in choices if choice != {"type": "null"})
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**only, **rest}


def _structural(node: Any) -> Any:
    if isinstance(node, list):
        return [_structural(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {key: value for key, value in _without_null(node).items() if key not in _DROPPED}
    if node.get("additionalProperties") in (True, False):
        del node["additionalProperties"]
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("maximum", 0) > _SAFE_INTEGER:
        del node["maximum"]
    for bound in ("minimum", "maximum"):
        # OpenAPI 3.0, which CRDs are written in, has a flag where JSON Schema has a number
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in node:
            node[bound] = node[exclusive]
            node[exclusive] = True
    if DEFAULT_KEY in node:
        node["default"] = node.pop(DEFAULT_KEY)
    properties = node.pop("properties", None)
    node = {key: value if key in {"default", "enum"} else _structural(value) for key, value in node.items()}
    if properties is not None:
        node["properties"] = {name: _structural(part) for name, part in properties.items()}
    return node


def _described(schema: dict[str, Any], models: Mapping[str, type[pydantic.BaseModel]]) -> None:
    """Put attribute docstrings and nullability to the properties that pydantic knows by alias."""
    definitions = schema["$defs"]
    for name, model in models.items():
        docs = _attribute_docs(model)
        nullable: frozenset[str] = getattr(model, "nullable", frozenset())
        properties = definitions.get(name, schema)["properties"]
        for attribute, field in model.model_fields.items():
            alias = field.alias or attribute
            if attribute in docs:
                properties[alias]["description"] = docs[attribute]
            if alias in nullable:
                properties[alias]["nullable"] = True


def build_schema(root: type[pydantic.BaseModel]) -> dict[str, Any]:
    """The structural schema of a model."""
    schema = root.model_json_schema(by_alias=True, mode="validation")
    _described(schema, _all_models(root))
    definitions = schema.pop("$defs")
    structural: dict[str, Any] = _structural(_inline(schema, definitions))
    return structural
