"""The licences in a CycloneDX bill: as SPDX expressions, as a table, and whether each is accepted."""

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

ACCEPTED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU"),
        *("MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    }
)
"""What may be in an image under Apache-2.0. MPL-2.0 asks for the sources of changed files; none is changed."""

_CLASSIFIERS: Final = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""Words of packages that tell their licence without an SPDX identifier."""

_BY_FILE: Final = {"protobuf": "BSD-3-Clause"}
"""Packages whose words are in no list; their LICENSE file was read."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9.+-]+")
_OPERATORS: Final = frozenset({"AND", "OR", "WITH"})


def with_spdx(bill: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bill with one SPDX expression for each package, where its licence is known."""
    told = copy.deepcopy(dict(bill))
    for component in told["components"]:
        expression = _expression(component)
        if expression:
            is_one = _IDENTIFIER.fullmatch(expression)
            component["licenses"] = [
                {"license": {"id": expression}} if is_one else {"expression": expression}
            ]
    return told


def _expression(component: Mapping[str, Any]) -> str:
    """Return all that a package tells of its licence as one expression; several statements all hold."""
    found: list[str] = []
    for entry in component.get("licenses", ()):
        licence = entry.get("license", {})
        name = licence.get("name", "")
        text = entry.get("expression") or licence.get("id") or _CLASSIFIERS.get(name, name)
        if text not in found:
            found.append(text)
    texts = found or [_BY_FILE.get(component["name"], "")]
    return texts[0] if len(texts) == 1 else " AND ".join(f"({t})" if " " in t else t for t in texts)


def of(bill: Mapping[str, Any]) -> dict[str, str]:
    """Return the licence of each package as the bill tells it; empty where it tells none."""
    return {component["name"]: _expression(component) for component in bill["components"]}


def unfit(bill: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the packages whose licence is unknown or not accepted."""
    return [(name, licence) for name, licence in of(bill).items() if not _is_accepted(licence)]


def _is_accepted(licence: str) -> bool:
    identifiers = set(_IDENTIFIER.findall(licence)) - _OPERATORS
    return bool(identifiers) and identifiers <= ACCEPTED


def table(bill: Mapping[str, Any]) -> str:
    """Return the packages with their versions and licences as a Markdown table."""
    licences = of(bill)
    rows = [f"| {c['name']} | {c['version']} | {licences[c['name']]} |" for c in bill["components"]]
    return "\n".join(["| Package | Version | Licence |", "| --- | --- | --- |", *rows, ""])
