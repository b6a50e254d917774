"""Serialised tf.Examples whose features the model reads under other names."""

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import grading, units

Array = units.Array
_MAX_BYTES: Final = 1_000_000
_MAX_FEATURES: Final = 1024
_CLOSE_NAMES: Final = 0.6
_LISTED: Final = 6
_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "bytes_list": ("DT_STRING",),
    "float_list": ("DT_FLOAT",),
    "int64_list": ("DT_INT64",),
}


def _build() -> Any:
    """Build the class of tf.Example's messages: a map from names to one of three lists."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tfserving_operator/example.proto", package="tfserving_operator", syntax="proto3"
    )
    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        listed = file.message_type.add(name=name)
        listed.field.add(name="value", number=1, type=kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), start=1):
        whole = ".tfserving_operator." + "".join(part.title() for part in name.split("_"))
        feature.field.add(
            name=name, number=number, type=field.TYPE_MESSAGE, type_name=whole,
            label=field.LABEL_OPTIONAL, oneof_index=0,
        )  # fmt: skip
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=field.TYPE_MESSAGE, type_name=".tfserving_operator.Feature",
        label=field.LABEL_OPTIONAL,
    )  # fmt: skip
    features.field.add(
        name="feature", number=1, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED,
        type_name=".tfserving_operator.Features.FeatureEntry",
    )  # fmt: skip
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, type=field.TYPE_MESSAGE, type_name=".tfserving_operator.Features",
        label=field.LABEL_OPTIONAL,
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tfserving_operator.Example"))


_EXAMPLE: Final = _build()


def decode(leaf: Any) -> Any | None:
    """Read a serialised tf.Example from a string input; None when it is none."""
    try:
        raw = base64.b64decode(leaf["b64"], validate=True) if isinstance(leaf, Mapping) else leaf.encode()
        if not raw or len(raw) > _MAX_BYTES:
            return None
        example = _EXAMPLE.FromString(raw)
    except (message.DecodeError, binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return None
    return example if 0 < len(example.features.feature) <= _MAX_FEATURES else None


def encode(example: Any) -> dict[str, str]:
    """Write one as a string input takes it."""
    return {"b64": base64.b64encode(example.SerializeToString(deterministic=True)).decode()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The features that are sent, and those that the model parses."""

    input: str
    sent: Mapping[str, str]
    """The kind of list by name."""
    parsed: Mapping[str, inspection.Feature]

    @property
    def missing(self) -> tuple[str, ...]:
        """What the model parses and is not sent."""
        return tuple(sorted(self.parsed.keys() - self.sent.keys()))

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is sent and not parsed."""
        return tuple(sorted(self.sent.keys() - self.parsed.keys()))

    @property
    def is_defaulted(self) -> bool:
        """Whether features are sent under other names than the model parses."""
        return bool(self.missing and self.unknown)

    def told(self) -> str:
        """Say it in a clause."""
        return f"the model parses {_listed(self.missing)}, and is sent {_listed(self.unknown)}"


def names(sample: units.Sample) -> Names | None:
    """Compare the features of the cases' tf.Examples with those that the inspected graph parses."""
    inspected = sample.found.request.inspection
    parsed = inspected.features.get(sample.found.request.signature_name, ()) if inspected else ()
    for name in sample.named("O") if parsed else ():
        decoded = [decode(leaf) for unit in sample.units for leaf in unit.columns[name].flat]
        if not all(example is not None for example in decoded):
            continue
        sent = {
            key: f.WhichOneof("kind") or "" for e in decoded if e for key, f in e.features.feature.items()
        }
        return Names(input=name, sent=sent, parsed={feature.name: feature for feature in parsed})
    return None


def candidates(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Features renamed to what the model parses: by likeness, and by order."""
    found = names(sample)
    if found is None or not found.is_defaulted:
        return
    for way in (_alike, _in_order):
        renamed = way(found)
        if renamed:
            yield grading.Candidate(
                when=f"features are named as the model parses them ({_pairs(renamed)})",
                cause=causes.Cause.FeaturesDefaulted,
                change=_renaming(found.input, renamed),
                group=f"features {way.__name__}",
            )


def _renaming(name: str, renamed: Mapping[str, str]) -> Callable[[units.Columns], units.Columns]:
    def change(columns: units.Columns) -> units.Columns:
        array = np.empty(columns[name].shape, dtype=object)
        array.reshape(-1)[:] = [_rename(leaf, renamed) for leaf in columns[name].flat]
        return {**columns, name: array}

    return change


def _rename(leaf: Any, renamed: Mapping[str, str]) -> Any:
    example = decode(leaf)
    if example is None:
        return leaf
    changed = _EXAMPLE()
    for key, feature in example.features.feature.items():
        changed.features.feature[renamed.get(key, key)].CopyFrom(feature)
    return encode(changed)


def _alike(found: Names) -> dict[str, str]:
    left = list(found.missing)
    renamed: dict[str, str] = {}
    for name in found.unknown:
        usable = [m for m in left if _fits(found, name, m)]
        bare = {_bare(m): m for m in usable}
        near = difflib.get_close_matches(_bare(name), bare, n=1, cutoff=_CLOSE_NAMES)
        if near:
            renamed[name] = bare[near[0]]
            left.remove(bare[near[0]])
    return renamed


def _in_order(found: Names) -> dict[str, str]:
    """Pair sorted names of the same type, as when all were renamed by one scheme."""
    renamed: dict[str, str] = {}
    for kind, dtypes in _KINDS.items():
        sent = [name for name in found.unknown if found.sent[name] == kind]
        parsed = [name for name in found.missing if found.parsed[name].dtype in dtypes]
        if len(sent) == len(parsed):
            renamed |= dict(zip(sorted(sent, key=_natural), sorted(parsed, key=_natural), strict=True))
    return renamed


def _fits(found: Names, sent: str, parsed: str) -> bool:
    return found.parsed[parsed].dtype in _KINDS.get(found.sent[sent], ())


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    parts: list[str] = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def _pairs(renamed: Mapping[str, str]) -> str:
    return _listed([f"{old} as {new}" for old, new in sorted(renamed.items())])


def _listed(found: Sequence[str]) -> str:
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(found[:_LISTED]) + more
