"""Smoke cases: what is sent to a model, and what is expected back.

Cases come from the spec and from ConfigMaps; `casefiles` reads the latter. Whatever a case's source, its
canonical form is the same JSON, so that a digest stands for a smoke input and a pinned input can be read back.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import archives, casefiles, generator, images, provenance
from tfserving_operator.core.smoke.caseforms import (
    DEFAULT_ATOL,
    DEFAULT_RTOL,
    Case,
    Channels,
    Expect,
    Image,
    InvalidCases,
    Provenance,
    ResolvedCases,
    Scale,
    Statistics,
    TopK,
)
from tfserving_operator.core.smoke.caseparsing import parse_case

__all__ = [
    "ARCHIVE_SUFFIX",
    "DEFAULT_ATOL",
    "DEFAULT_RTOL",
    "MADE",
    "Case",
    "Channels",
    "Expect",
    "Image",
    "InvalidCases",
    "Provenance",
    "ResolvedCases",
    "Scale",
    "Statistics",
    "TopK",
    "from_pinned",
    "is_compressed",
    "parse_case",
    "resolve",
]

MAX_PLAIN_BYTES: Final = 256 * 1024
"""A longer canonical form is compressed."""
MAX_PINNED_BYTES: Final = 1_000_000
"""All cases together are pinned in one ConfigMap, which the API server bounds at 1 MiB."""
MAX_CANONICAL_BYTES: Final = 48 * 1024 * 1024
"""Before compression."""
ARCHIVE_SUFFIX: Final = ".npz"
_GZIP: Final = b"\x1f\x8b"
_FORMATS: Final = (1, 2)
"""The second has a provenance, images or arrays. Cases that need no more are written in the first, so that digests stay."""

MADE: Final = ResolvedCases(
    cases=(), digest=f"sha256:{hashlib.sha256(generator.VERSION.encode()).hexdigest()}", canonical=b""
)
"""No cases: inputs are made from the signature."""


def resolve(
    inline: Sequence[Mapping[str, Any]], documents: Sequence[tuple[str, str | bytes]] = ()
) -> ResolvedCases:
    """Read the cases of a spec.

    Parameters
    ----------
    inline
        `spec.smoke.cases`.
    documents
        (source, content) pairs, such as ("configmap goldens key cases.json", "[…]"): text is cases as JSON or YAML,
        as a list or with their provenance; bytes are an .npz file. Those of several documents add up; the first
        provenance counts. Reading a megabyte of YAML takes a second: call this off the event loop when there are any.

    Raises
    ------
    InvalidCases
        When a case cannot be used.
    """
    found = [parse_case(raw, f"smoke.cases[{i}]") for i, raw in enumerate(inline)]
    told: Provenance | None = None
    for source, content in documents:
        try:
            document = _parse(source, content)
        except (casefiles.InvalidDocumentError, archives.InvalidArchiveError) as error:
            raise InvalidCases(f"{source}: {error}") from error
        found += [parse_case(raw, f"{source}: case {i + 1}") for i, raw in enumerate(document.cases)]
        if document.provenance is not None and told is None:
            told = provenance.parse(document.provenance, source)
    return _resolved(found, told)


def _parse(source: str, content: str | bytes) -> casefiles.Document:
    if isinstance(content, str):
        return casefiles.parse(content)
    name = source.replace("/", " ").split()[-1].removesuffix(ARCHIVE_SUFFIX)
    return casefiles.Document(cases=archives.parse(content, name))


def from_pinned(canonical: bytes) -> ResolvedCases:
    """Read back what `ResolvedCases.canonical` held; b"" stands for made inputs."""
    if not canonical:
        return MADE
    try:
        raw = json.loads(_unpacked(canonical))
        if raw["format"] not in _FORMATS:
            raise InvalidCases(f"pinned cases: format {raw['format']} is not known to this operator")
        told = provenance.parse(raw["provenance"], "pinned cases") if "provenance" in raw else None
        has_arrays = raw["format"] > 1
        given = [_with_arrays(case) if has_arrays else case for case in raw["cases"]]
        return _resolved([parse_case(case, "pinned cases") for case in given], told)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        OSError,
        EOFError,
        zlib.error,
    ) as error:
        raise InvalidCases(f"pinned cases cannot be read: {error}") from error


def is_compressed(canonical: bytes) -> bool:
    """Whether a canonical form must be kept as bytes rather than as text."""
    return canonical.startswith(_GZIP)


def _unpacked(canonical: bytes) -> bytes:
    if not is_compressed(canonical):
        return canonical
    with gzip.GzipFile(fileobj=io.BytesIO(canonical)) as file:
        text = file.read(MAX_CANONICAL_BYTES + 1)
    if len(text) > MAX_CANONICAL_BYTES:
        raise ValueError(f"more than {MAX_CANONICAL_BYTES} bytes")
    return text


def _with_arrays(raw: Mapping[str, Any]) -> dict[str, Any]:
    case = {**raw, "inputs": archives.from_wire(raw.get("inputs"))}
    if "outputs" in (raw.get("expect") or {}):
        case["expect"] = {**raw["expect"], "outputs": archives.from_wire(raw["expect"]["outputs"])}
    return case


def _resolved(found: Sequence[Case], told: Provenance | None) -> ResolvedCases:
    if not found:
        return MADE
    names: set[str] = set()
    for case in found:
        if case.name in names:
            raise InvalidCases(f'two smoke cases have the name "{case.name}": give each its own')
        names.add(case.name)
    text = _written(found, told)
    return ResolvedCases(
        cases=tuple(found),
        digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        canonical=text if len(text) <= MAX_PLAIN_BYTES else _packed(found, told, len(text)),
        size=len(text),
        provenance=told,
    )


def _written(found: Sequence[Case], told: Provenance | None, *, packed: bool = False) -> bytes:
    body: dict[str, Any] = {"format": 1, "cases": [_canonical_case(case, packed=packed) for case in found]}
    if told is not None:
        body["provenance"] = provenance.to_wire(told)
    if told is not None or any(case.images or _has_arrays(case) for case in found):
        body["format"] = 2
    try:
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCases(
            f"the smoke cases cannot be written as JSON: {error}; use numbers, strings and lists"
        ) from None


def _packed(found: Sequence[Case], told: Provenance | None, size: int) -> bytes:
    """Write a long smoke input for a pin, or say that it is too long for one."""
    into = ""
    if size <= MAX_CANONICAL_BYTES:
        packed = gzip.compress(_written(found, told, packed=True), compresslevel=6, mtime=0)
        if len(packed) <= MAX_PINNED_BYTES:
            return packed
        into = f", {len(packed)} compressed,"
    raise InvalidCases(
        f"the smoke cases come to {size} bytes of JSON{into} and at most {MAX_PINNED_BYTES} compressed bytes can be"
        " pinned in a ConfigMap: use fewer rows, fewer digits, topK instead of wide outputs, or image files"
    )


def _has_arrays(case: Case) -> bool:
    expected = case.expect.outputs.values() if case.expect else ()
    sent = case.inputs.values() if isinstance(case.inputs, Mapping) else ()
    return any(isinstance(value, np.ndarray) for value in (*sent, *expected))


def _canonical_case(case: Case, *, packed: bool = False) -> dict[str, Any]:
    raw: dict[str, Any] = {"name": case.name}
    if case.images:
        raw["images"] = [images.to_wire(image) for image in case.images]
    else:
        raw |= archives.to_wire(case.payload, packed=packed)
    if case.expect:
        raw["expect"] = {"rtol": case.expect.rtol, "atol": case.expect.atol}
        if case.expect.outputs:
            raw["expect"]["outputs"] = archives.to_wire(case.expect.outputs, packed=packed)
        if top_k := case.expect.top_k:
            raw["expect"]["topK"] = {"output": top_k.output, "k": top_k.k, "classes": top_k.classes}
    return raw
