"""What the `inspect` init container says about a model, and how it is carried in 4096 bytes.

The kubelet keeps at most 4096 bytes of a container's termination message. `render` leaves out what is
least needed, step by step, until the report fits; `parse_termination_message` reads it back.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

from tfserving_operator.api import reasons

MESSAGE_BYTES: Final = 4096
"""What the kubelet keeps of one container's termination message."""
FORMAT: Final = 1
"""Of the message; its key also tells ours from any other container's last words."""
_FORMAT_KEY: Final = "inspection"
_SENTENCE_CHARACTERS: Final = 600


class ExitCode(IntEnum):
    """How the inspect container ends; the numbers leave out 1 and 2, which Python and click use themselves."""

    Ok = 0
    """means a SavedModel was found and read"""
    InternalError = 70
    """means the inspector itself failed; it says nothing about the model"""
    ModelNotFound = 71
    """means the model's folder or its version folder is not there"""
    ModelInvalid = 72
    """means the version folder holds no SavedModel that can be read"""
    ModelChanged = 73
    """means the files are not those that passed the smoke test"""


EXIT_CODES: Final[Mapping[str, ExitCode]] = {
    "": ExitCode.Ok,
    reasons.Reason.InspectionFailed: ExitCode.InternalError,
    reasons.Reason.ModelNotFound: ExitCode.ModelNotFound,
    reasons.Reason.ModelInvalid: ExitCode.ModelInvalid,
    reasons.Reason.ModelChanged: ExitCode.ModelChanged,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """An input or output of a signature."""

    dtype: str
    """TensorFlow's enum name, such as DT_FLOAT."""
    shape: tuple[int, ...] | None
    """-1 is an unknown size; None is an unknown rank."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """One signature of the SavedModel."""

    method: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What the inspector saw."""

    reason: str = ""
    """"" when the model can be served, else ModelNotFound, ModelInvalid, ModelChanged or InspectionFailed."""
    message: str = ""
    """A sentence for people, with the remedy; "" without a reason."""
    version: int = 0
    digest: str = ""
    """`sha256:<hex>` over names, sizes and contents of every file of the version folder."""
    disk_bytes: int = 0
    variable_bytes: int = 0
    """Of the files in `variables/`: what the model needs in memory at least."""
    files: int = 0
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    ops: Mapping[str, int] = field(default_factory=dict)
    """How often each op occurs, in the graph and its functions; the most frequent ones."""
    findings: tuple[str, ...] = ()
    """Sentences about what looks wrong. They explain a failure and never are one."""
    truncated: bool = False
    """Whether something was left out so that the report fits."""

    @property
    def exit_code(self) -> ExitCode:
        """What the inspect container ends with."""
        return EXIT_CODES.get(self.reason, ExitCode.InternalError)


def build(reason: str = "", message: str = "", **fields: Any) -> Inspection:
    """Make an inspection with its sentences cut to a length that always fits."""
    findings = tuple(_cut(text, _SENTENCE_CHARACTERS) for text in fields.pop("findings", ()))
    return Inspection(reason=reason, message=_cut(message, _SENTENCE_CHARACTERS), findings=findings, **fields)


def render(inspection: Inspection) -> bytes:
    """The termination message: JSON of at most `MESSAGE_BYTES` bytes."""
    for version in _ever_shorter(inspection):
        body = _encode(version)
        if len(body) <= MESSAGE_BYTES:
            return body
    raise AssertionError("the shortest form is bounded by its own cuts")


def parse_termination_message(text: str) -> Inspection | None:
    """Read a termination message back; None when it is not the inspector's."""
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.get(_FORMAT_KEY) != FORMAT:
            return None
        return _decode(raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _ever_shorter(inspection: Inspection) -> Iterator[Inspection]:
    yield inspection
    short = replace(inspection, truncated=True)
    for count in (24, 12, 6, 0):
        ops = sorted(short.ops.items(), key=lambda item: (-item[1], item[0]))[:count]
        short = replace(short, ops=dict(ops))
        yield short
    for count in (12, 6, 3):
        short = replace(short, findings=short.findings[:count])
        yield short
    for count in (8, 4, 2, 1, 0):
        short = replace(short, signatures=dict(list(short.signatures.items())[:count]))
        yield short
    for count in (1, 0):
        short = replace(short, findings=short.findings[:count])
        yield short
    yield replace(short, message=_cut(short.message, 150))


def _encode(inspection: Inspection) -> bytes:
    raw: dict[str, Any] = {_FORMAT_KEY: FORMAT}
    for name in ("reason", "message", "version", "digest", "files", "ops", "findings", "truncated"):
        raw[name] = getattr(inspection, name)
    raw["diskBytes"] = inspection.disk_bytes
    raw["variableBytes"] = inspection.variable_bytes
    raw["signatures"] = {name: _encode_signature(value) for name, value in inspection.signatures.items()}
    kept = {name: value for name, value in raw.items() if value or name == "reason"}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _encode_signature(signature: Signature) -> dict[str, Any]:
    def encode(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        return {name: [t.dtype, None if t.shape is None else list(t.shape)] for name, t in tensors.items()}

    return {"method": signature.method, "in": encode(signature.inputs), "out": encode(signature.outputs)}


def _decode(raw: Mapping[str, Any]) -> Inspection:
    return Inspection(
        reason=str(raw.get("reason", "")),
        message=str(raw.get("message", "")),
        version=int(raw.get("version", 0)),
        digest=str(raw.get("digest", "")),
        disk_bytes=int(raw.get("diskBytes", 0)),
        variable_bytes=int(raw.get("variableBytes", 0)),
        files=int(raw.get("files", 0)),
        signatures={str(name): _decode_signature(value) for name, value in raw.get("signatures", {}).items()},
        ops={str(name): int(count) for name, count in raw.get("ops", {}).items()},
        findings=tuple(str(finding) for finding in raw.get("findings", ())),
        truncated=bool(raw.get("truncated", False)),
    )


def _decode_signature(raw: Mapping[str, Any]) -> Signature:
    def decode(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
        return {
            str(name): Tensor(
                dtype=str(dtype), shape=None if shape is None else tuple(int(size) for size in shape)
            )
            for name, (dtype, shape) in tensors.items()
        }

    return Signature(method=str(raw["method"]), inputs=decode(raw["in"]), outputs=decode(raw["out"]))
