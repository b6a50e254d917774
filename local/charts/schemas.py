"""JSON schemas of Kubernetes' own kinds, for kubeconform, out of each version's Go module."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from local import cache
from local import progress as progresses

RECIPE: Final = "1"
"""Part of the cache's key: change it when the way of writing changes."""

MODULE: Final = "k8s.io/kubernetes"
VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "v1.30.14": "h1:MrlKXh9uhLIJpyxOeXhcndzRVSvwiV9iJ8NgH8nqPsg=",
        "v1.31.14": "h1:UtjLfqvXLuSVDdJ4+NpQCIfFkKkLnAAVmxAEMsnkhjk=",
        "v1.32.13": "h1:5TGYdZ6YZqdp6h/Rp1vX/4TIoybMPdgv97LCZCtPuNQ=",
        "v1.33.13": "h1:bmH31xUdSzeA5vk0wZAK9MZp11mdLuzUSeKk0qN3hPQ=",
        "v1.34.4": "h1:Yy6R4QB8C9kJPp25GFqEvX5XQwY5qzKeqD0Xx6oAcmk=",
    }
)
"""Versions of Kubernetes with the checksum of their modules, as in a go.sum."""

LOCATION: Final = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""How kubeconform finds a kind's file in the folder."""

_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"

Schema = dict[str, Any]


def ensure(version: str) -> Path:
    """Return the folder with the schemas of a version, written first when it is not in the cache.

    Parameters
    ----------
    version
        One of ``VERSIONS``.
    """
    key = cache.digest_of([RECIPE, version, VERSIONS[version]])
    return cache.entry(cache.root() / "schemas" / key, lambda target: _write(version, target))


def _write(version: str, target: Path) -> None:
    progresses.Progress(name="chart").say(f"loading the schemas of Kubernetes {version} (a Go module)")
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{MODULE}@{version}"],
        cwd=Path(__file__).parent,
        env=os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    module = json.loads(done.stdout)
    if module["Sum"] != VERSIONS[version]:
        raise RuntimeError(f"{MODULE} {version} has the checksum {module['Sum']}, not {VERSIONS[version]}")
    swagger = json.loads((Path(module["Dir"]) / "api" / "openapi-spec" / "swagger.json").read_text())
    definitions: dict[str, Schema] = {
        name: _strict(name, schema) for name, schema in swagger["definitions"].items()
    }
    target.mkdir(parents=True, exist_ok=True)
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            words = (kind["kind"].lower(), kind["group"].partition(".")[0], kind["version"])
            file = target / f"{'-'.join(word for word in words if word)}.json"
            file.write_text(json.dumps(_standalone(name, definitions)))


def _strict(name: str, schema: Schema) -> Schema:
    """A definition that takes no field which it does not name."""
    if name == _INT_OR_STRING:
        return {"type": ["string", "integer"]}
    if name == _QUANTITY:
        return {"type": ["string", "number"]}
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def _standalone(name: str, definitions: Mapping[str, Schema]) -> Schema:
    """A definition with all that it refers to."""
    needed, waiting = dict[str, Schema](), [name]
    while waiting:
        each = waiting.pop()
        if each not in needed:
            needed[each] = definitions[each]
            waiting += _references(definitions[each])
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": f"#/definitions/{name}",
        "definitions": needed,
    }


def _references(node: object) -> Iterator[str]:
    match node:
        case {"$ref": str() as reference}:
            yield reference.removeprefix("#/definitions/")
        case dict():
            for inner in node.values():
                yield from _references(inner)
        case list():
            for inner in node:
                yield from _references(inner)
        case _:
            pass
