"""The inspector's report as the termination message of its container.

The kubelet keeps at most 4096 bytes of it. `render` leaves out what is least needed, step by step, until the
report fits; `parse_termination_message` reads it back.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tfserving_operator.core.inspection import report

MESSAGE_BYTES: Final = 4096
"""What the kubelet keeps of one container's termination message."""
FORMAT: Final = 1
"""Of the message; its key also tells ours from any other container's last words."""
_FORMAT_KEY: Final = "inspection"
_SHORT_DETAIL: Final = 60
_SHORT_MESSAGE: Final = 150
_FIRST_CHARACTERS: Final = 40

Cut = Callable[[report.Inspection], report.Inspection]


def render(inspection: report.Inspection) -> bytes:
    """The termination message: JSON of at most `MESSAGE_BYTES` bytes."""
    for version in _ever_shorter(inspection):
        body = _encode(version)
        if len(body) <= MESSAGE_BYTES:
            return body
    raise AssertionError("the shortest form is bounded by its own cuts")


def parse_termination_message(text: str) -> report.Inspection | None:
    """Read a termination message back; None when it is not the inspector's."""
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.get(_FORMAT_KEY) != FORMAT:
            return None
        return _decode(raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _ever_shorter(inspection: report.Inspection) -> Iterator[report.Inspection]:
    yield inspection
    short = replace(inspection, truncated=True)
    for shorten in _CUTS:
        short = shorten(short)
        yield short


def _ops(count: int) -> Cut:
    def shorten(found: report.Inspection) -> report.Inspection:
        ops = sorted(found.ops.items(), key=lambda item: (-item[1], item[0]))[:count]
        return replace(found, ops=dict(ops))

    return shorten


def _findings(count: int) -> Cut:
    return lambda found: replace(found, findings=found.findings[:count])


def _signatures(count: int) -> Cut:
    """The first ones: the inspector puts the one that is asked for first, with what is known of its inputs."""
    return lambda found: replace(
        found,
        signatures=_head(found.signatures, count),
        features=_head(found.features, count),
        hints=_head(found.hints, count),
    )


def _words(count: int) -> Cut:
    def shorten(found: report.Inspection) -> report.Inspection:
        assets = {name: replace(asset, sample=()) for name, asset in found.assets.items()}
        hints = {
            signature: {name: replace(hint, words=hint.words[:count]) for name, hint in named.items()}
            for signature, named in found.hints.items()
        }
        return replace(found, assets=assets, hints=hints)

    return shorten


def _assets(count: int) -> Cut:
    def shorten(found: report.Inspection) -> report.Inspection:
        first = sorted(found.assets.items(), key=lambda item: not item[1].is_vocabulary)
        return replace(found, assets=dict(first[:count]))

    return shorten


def _clues(count: int) -> Cut:
    order = list(report.Clue)

    def shorten(found: report.Inspection) -> report.Inspection:
        first = sorted(found.clues.items(), key=lambda item: order.index(item[0]))[:count]
        return replace(found, clues={clue: report.cut(text, _SHORT_DETAIL) for clue, text in first})

    return shorten


def _features(found: report.Inspection) -> report.Inspection:
    return replace(found, features={}, hints={})


def _message(found: report.Inspection) -> report.Inspection:
    return replace(found, message=report.cut(found.message, _SHORT_MESSAGE))


_CUTS: Final[tuple[Cut, ...]] = (
    *(_ops(24), _ops(12), _findings(12), _words(6), _ops(6), _signatures(8), _assets(16), _ops(0)),
    *(_signatures(4), _findings(6), _words(3), _assets(8), _signatures(2), _findings(3), _assets(4)),
    *(_clues(16), _signatures(1), _assets(2), _findings(2), _assets(0), _features, _findings(1)),
    *(_signatures(0), _clues(6), _findings(0), _message),
)
"""What is left out, least needed first."""


def _head(mapping: Mapping[str, Any], count: int) -> dict[str, Any]:
    return dict(list(mapping.items())[:count])


_PLAIN: Final = {
    "reason": "reason",
    "message": "message",
    "version": "version",
    "digest": "digest",
    "weightsDigest": "weights_digest",
    "diskBytes": "disk_bytes",
    "variableBytes": "variable_bytes",
    "graphBytes": "graph_bytes",
    "functionBytes": "function_bytes",
    "nodes": "nodes",
    "memoryFloor": "memory_floor",
    "memoryNeed": "memory_need",
    "memoryLimit": "memory_limit",
    "files": "files",
    "ops": "ops",
    "findings": "findings",
    "clues": "clues",
    "truncated": "truncated",
}
"""Keys of the message, and the fields that are written as they are."""


def _encode(inspection: report.Inspection) -> bytes:
    raw: dict[str, Any] = {_FORMAT_KEY: FORMAT}
    raw |= {key: getattr(inspection, name) for key, name in _PLAIN.items()}
    raw["signatures"] = {name: _encode_signature(value) for name, value in inspection.signatures.items()}
    raw["assets"] = {name: _encode_asset(asset) for name, asset in inspection.assets.items()}
    raw["features"] = {name: _encode_features(features) for name, features in inspection.features.items()}
    raw["hints"] = {
        signature: {name: [hint.ids, hint.reads, hint.words] for name, hint in named.items()}
        for signature, named in inspection.hints.items()
    }
    kept = {name: value for name, value in raw.items() if value or name == "reason"}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _encode_signature(signature: report.Signature) -> dict[str, Any]:
    def encode(tensors: Mapping[str, report.Tensor]) -> dict[str, Any]:
        return {name: [t.dtype, None if t.shape is None else list(t.shape)] for name, t in tensors.items()}

    return {"method": signature.method, "in": encode(signature.inputs), "out": encode(signature.outputs)}


def _encode_features(features: Sequence[report.Feature]) -> list[Any]:
    """Those of one type and shape together: there may be hundreds."""
    alike = itertools.groupby(features, key=lambda f: (f.dtype, f.shape, int(f.has_default)))
    return [[*kind, [feature.name for feature in found]] for kind, found in alike]


def _encode_asset(asset: report.Asset) -> list[Any]:
    first = report.cut(asset.first, _FIRST_CHARACTERS)
    return [asset.digest, asset.size, asset.lines, first, int(asset.is_vocabulary), asset.sample]


def _decode(raw: Mapping[str, Any]) -> report.Inspection:
    return report.Inspection(
        reason=str(raw.get("reason", "")),
        message=str(raw.get("message", "")),
        version=int(raw.get("version", 0)),
        digest=str(raw.get("digest", "")),
        weights_digest=str(raw.get("weightsDigest", "")),
        disk_bytes=int(raw.get("diskBytes", 0)),
        variable_bytes=int(raw.get("variableBytes", 0)),
        graph_bytes=int(raw.get("graphBytes", 0)),
        function_bytes=int(raw.get("functionBytes", 0)),
        nodes=int(raw.get("nodes", 0)),
        memory_floor=int(raw.get("memoryFloor", 0)),
        memory_need=int(raw.get("memoryNeed", 0)),
        memory_limit=int(raw.get("memoryLimit", 0)),
        files=int(raw.get("files", 0)),
        signatures={str(name): _decode_signature(value) for name, value in raw.get("signatures", {}).items()},
        ops={str(name): int(count) for name, count in raw.get("ops", {}).items()},
        findings=tuple(str(finding) for finding in raw.get("findings", ())),
        clues=_decode_clues(raw.get("clues", {})),
        assets={str(name): _decode_asset(value) for name, value in raw.get("assets", {}).items()},
        features={
            str(name): tuple(feature for group in groups for feature in _decode_features(*group))
            for name, groups in raw.get("features", {}).items()
        },
        hints={
            str(signature): {str(name): _decode_hint(*value) for name, value in named.items()}
            for signature, named in raw.get("hints", {}).items()
        },
        truncated=bool(raw.get("truncated", False)),
    )


def _decode_clues(raw: Mapping[str, Any]) -> dict[report.Clue, str]:
    """Leave out the clues of a newer inspector: a pod keeps the image that it was made with."""
    known = {str(clue): clue for clue in report.Clue}
    return {known[name]: str(detail) for name, detail in raw.items() if name in known}


def _decode_signature(raw: Mapping[str, Any]) -> report.Signature:
    def decode(tensors: Mapping[str, Any]) -> dict[str, report.Tensor]:
        return {
            str(name): report.Tensor(dtype=str(dtype), shape=_decode_shape(shape))
            for name, (dtype, shape) in tensors.items()
        }

    return report.Signature(method=str(raw["method"]), inputs=decode(raw["in"]), outputs=decode(raw["out"]))


def _decode_shape(shape: Any) -> tuple[int, ...] | None:
    return None if shape is None else tuple(int(size) for size in shape)


def _decode_asset(raw: Any) -> report.Asset:
    digest, size, lines, first, is_vocabulary, sample = raw
    return report.Asset(
        digest=str(digest),
        size=int(size),
        lines=int(lines),
        first=str(first),
        is_vocabulary=bool(is_vocabulary),
        sample=tuple(str(word) for word in sample),
    )


def _decode_features(dtype: Any, shape: Any, has_default: Any, names: Any) -> list[report.Feature]:
    return [
        report.Feature(
            name=str(name), dtype=str(dtype), shape=_decode_shape(shape), has_default=bool(has_default)
        )
        for name in names
    ]


def _decode_hint(ids: Any, reads: Any, words: Any) -> report.Hint:
    known = str(reads) in list(report.Reads)
    return report.Hint(
        ids=int(ids),
        reads=report.Reads(reads) if known else report.Reads.Unknown,
        words=tuple(str(word) for word in words),
    )
