"""Lists of smoke cases as people write them: JSON or YAML, bounded."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
import yaml

MAX_CHARACTERS: Final = 2_000_000
"""A ConfigMap holds at most 1 MiB in all."""
_MAX_DEPTH: Final = 64
_KEYS: Final = frozenset({"cases", "provenance"})


class InvalidDocumentError(ValueError):
    """The text is no list of cases; the message says why."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # chosen at run time
    """YAML with JSON's numbers: YAML 1.1 takes 1e-3 for a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9]+|[0-9]*\.[0-9]+|[0-9]+\.)[eE][-+]?[0-9]+"),
    list("-+.0123456789"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What a file of cases holds."""

    cases: list[Any]
    provenance: Any = None


def parse(text: str) -> Document:
    """Read a list of cases, or {"cases": […], "provenance": {…}}.

    Raises
    ------
    InvalidDocumentError
        When it is neither JSON nor YAML, or holds something else.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidDocumentError(f"it is longer than {MAX_CHARACTERS} characters")
    found = _load(text)
    told = None
    if isinstance(found, dict) and isinstance(found.get("cases"), list) and found.keys() <= _KEYS:
        found, told = found["cases"], found.get("provenance")
    if not isinstance(found, list):
        raise InvalidDocumentError(
            f"it holds {type(found).__name__ if found is not None else 'nothing'}; write a list of cases, such as"
            " [{name: cat, instances: [[0.1, 0.2]]}]"
        )
    return Document(cases=found, provenance=told)


def _load(text: str) -> Any:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        try:
            return json.loads(text)  # takes NaN and Infinity, as TensorFlow Serving does
        except json.JSONDecodeError as error:
            json_error = f"; as JSON: {error}"
        except RecursionError:
            raise InvalidDocumentError("it is nested too deeply") from None
    else:
        json_error = ""
    try:
        _scan(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise InvalidDocumentError(f"it is neither JSON nor YAML: {where[:300]}{json_error[:200]}") from None


def _scan(text: str) -> None:
    """Refuse what makes small YAML large: aliases (a billion laughs) and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidDocumentError("it uses a YAML alias (*name); write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise InvalidDocumentError("it is nested too deeply")
