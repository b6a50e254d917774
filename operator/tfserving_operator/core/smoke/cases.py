"""Smoke cases: what is sent to a model, and what is expected back.

Cases come from the spec and from ConfigMaps; `casefiles` reads the latter. Whatever a case's source, its
canonical form is the same JSON, so that a digest stands for a smoke input and a pinned input can be read back.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tfserving_operator.core.smoke import casefiles, generator, provenance
from tfserving_operator.core.smoke.caseforms import (
    DEFAULT_ATOL,
    DEFAULT_RTOL,
    Case,
    Expect,
    InvalidCases,
    Provenance,
    ResolvedCases,
    Statistics,
    TopK,
)
from tfserving_operator.core.smoke.caseparsing import parse_case

__all__ = [
    "DEFAULT_ATOL",
    "DEFAULT_RTOL",
    "MADE",
    "Case",
    "Expect",
    "InvalidCases",
    "Provenance",
    "ResolvedCases",
    "Statistics",
    "TopK",
    "from_pinned",
    "parse_case",
    "resolve",
]

MAX_CANONICAL_BYTES: Final = 1_000_000
"""All cases together are pinned in one ConfigMap, which etcd bounds at 1 MiB."""
_FORMATS: Final = (1, 2)
"""The second has a provenance. Cases that need no more are written in the first, so that digests stay."""

MADE: Final = ResolvedCases(
    cases=(), digest=f"sha256:{hashlib.sha256(generator.VERSION.encode()).hexdigest()}", canonical=b""
)
"""No cases: inputs are made from the signature."""


def resolve(inline: Sequence[Mapping[str, Any]], documents: Sequence[tuple[str, str]] = ()) -> ResolvedCases:
    """Read the cases of a spec.

    Parameters
    ----------
    inline
        `spec.smoke.cases`.
    documents
        (source, text) pairs, such as ("configmap goldens key cases.json", "[…]"): cases as JSON or YAML, as a
        list or with their provenance. Those of several documents add up; the first provenance counts.
        Reading a megabyte of YAML takes a second: call this off the event loop when there are any.

    Raises
    ------
    InvalidCases
        When a case cannot be used.
    """
    found = [parse_case(raw, f"smoke.cases[{i}]") for i, raw in enumerate(inline)]
    told: Provenance | None = None
    for source, text in documents:
        try:
            document = casefiles.parse(text)
        except casefiles.InvalidDocumentError as error:
            raise InvalidCases(f"{source}: {error}") from error
        found += [parse_case(raw, f"{source}: case {i + 1}") for i, raw in enumerate(document.cases)]
        if document.provenance is not None and told is None:
            told = provenance.parse(document.provenance, source)
    return _resolved(found, told)


def from_pinned(canonical: bytes) -> ResolvedCases:
    """Read back what `ResolvedCases.canonical` held; b"" stands for made inputs."""
    if not canonical:
        return MADE
    try:
        raw = json.loads(canonical)
        if raw["format"] not in _FORMATS:
            raise InvalidCases(f"pinned cases: format {raw['format']} is not known to this operator")
        told = provenance.parse(raw["provenance"], "pinned cases") if "provenance" in raw else None
        return _resolved([parse_case(case, "pinned cases") for case in raw["cases"]], told)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidCases(f"pinned cases cannot be read: {error}") from error


def _resolved(found: Sequence[Case], told: Provenance | None) -> ResolvedCases:
    if not found:
        return MADE
    names: set[str] = set()
    for case in found:
        if case.name in names:
            raise InvalidCases(f'two smoke cases have the name "{case.name}": give each its own')
        names.add(case.name)
    body: dict[str, Any] = {"format": 1, "cases": [_canonical_case(case) for case in found]}
    if told is not None:
        body |= {"format": 2, "provenance": provenance.to_wire(told)}
    try:
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCases(
            f"the smoke cases cannot be written as JSON: {error}; use numbers, strings and lists"
        ) from None
    if len(canonical) > MAX_CANONICAL_BYTES:
        raise InvalidCases(
            f"the smoke cases come to {len(canonical)} bytes of JSON, more than the {MAX_CANONICAL_BYTES} that can be"
            " pinned: use fewer rows, or fewer digits"
        )
    return ResolvedCases(
        cases=tuple(found),
        digest=f"sha256:{hashlib.sha256(canonical).hexdigest()}",
        canonical=canonical,
        provenance=told,
    )


def _canonical_case(case: Case) -> dict[str, Any]:
    raw: dict[str, Any] = {"name": case.name, **case.payload}
    if case.expect:
        raw["expect"] = {"rtol": case.expect.rtol, "atol": case.expect.atol}
        if case.expect.outputs:
            raw["expect"]["outputs"] = case.expect.outputs
        if top_k := case.expect.top_k:
            raw["expect"]["topK"] = {"output": top_k.output, "k": top_k.k, "classes": top_k.classes}
    return raw
