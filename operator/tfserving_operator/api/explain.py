"""Says what is wrong with an object in the words of its reader: field path, value, remedy."""

import difflib
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
import pydantic_core

MAX_PROBLEMS = 10
"""In one message; a reader fixes the first ones first."""
MAX_VALUE = 60
"""Characters of a value that are quoted."""

_TYPE_NAMES = {
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number without quotes",
    "float_type": "a number without quotes",
    "finite_number": "a finite number",
    "bool_type": "true or false without quotes",
    "string_type": "text: write the value in quotes",
    "dict_type": "an object with fields",
    "model_type": "an object with fields",
    "model_attributes_type": "an object with fields",
    "tuple_type": "a list",
    "list_type": "a list",
}
_TEMPLATES = {
    "greater_than_equal": "is too small: write at least {ge}",
    "less_than_equal": "is too large: write at most {le}",
    "string_too_long": "is too long: at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "has too many entries: at most {max_length}",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "does not have the form {pattern}",
}


def _path(location: tuple[int | str, ...], *, prefix: str) -> str:
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if "." not in part and "/" not in part else f"[{part}]"
    return path


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _models(annotation: object) -> Iterator[type[pydantic.BaseModel]]:
    """Models that an annotation may hold, through Optional, Annotated, tuple and dict."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    elif typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _models(part)


def _known_fields(root: type[pydantic.BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Wire names of the fields of the object that holds the last part of ``location``."""
    model = root
    for part in location[:-1]:
        field = next((f for f in model.model_fields.values() if f.alias == part), None)
        if field is not None:
            model = next(_models(field.annotation), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown_field(problem: pydantic_core.ErrorDetails, *, root: type[pydantic.BaseModel]) -> str:
    known = _known_fields(root, problem["loc"])
    close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
    return "is not a field: " + (f"did you mean {close[0]}?" if close else "known here: " + ", ".join(known))


def _remedy(problem: pydantic_core.ErrorDetails) -> str:
    context: Mapping[str, Any] = problem.get("ctx") or {}
    kind = problem["type"]
    if kind in _TYPE_NAMES:
        return f"must be {_TYPE_NAMES[kind]}"
    if kind in _TEMPLATES:
        return _TEMPLATES[kind].format(**context)
    if kind == "enum":
        return f"is not one of {context['expected']}".replace("'", "").replace(" or ", ", ")
    return problem["msg"][:1].lower() + problem["msg"][1:]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One field of the wrong form."""

    field: str
    """Its path in the user's words: spec.model.version"""
    value: str
    """As JSON, cut; "" for one that is not there."""
    sentence: str
    """Path, value and what to write instead."""


class InvalidObjectError(ValueError):
    """An object of the wrong form; the message joins what is wrong with each field."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        sentences = [problem.sentence for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            sentences.append(f"and {len(problems) - MAX_PROBLEMS} more")
        super().__init__("; ".join(sentences))
        self.problems = problems


def problems(
    error: pydantic.ValidationError, *, root: type[pydantic.BaseModel], prefix: str = "spec"
) -> tuple[Problem, ...]:
    """All that is wrong, one for each field."""
    return tuple(_problem(detail, root=root, prefix=prefix) for detail in error.errors(include_url=False))


def _problem(detail: pydantic_core.ErrorDetails, *, root: type[pydantic.BaseModel], prefix: str) -> Problem:
    where = _path(detail["loc"], prefix=prefix)
    value = _quoted(detail["input"])
    match detail["type"]:
        case "missing":
            return Problem(field=where, value="", sentence=f"{where} is required")
        case "extra_forbidden":
            return Problem(field=where, value=value, sentence=f"{where} {_unknown_field(detail, root=root)}")
        case "value_error":
            return Problem(field=where, value=value, sentence=f"{where}: {detail['ctx']['error']}")
        case _:
            return Problem(field=where, value=value, sentence=f"{where}: {value} {_remedy(detail)}")
