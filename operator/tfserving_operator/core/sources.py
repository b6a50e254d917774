"""Where a model's files are: the meaning of `spec.model.uri`."""

import re
from dataclasses import dataclass
from typing import Final

_CLAIM: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LATER: Final = ("s3", "gs", "https", "http", "oci", "hdfs", "file")
_FORM: Final = "pvc://CLAIM/PATH, where PATH is the folder that holds the numeric version folders"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A folder on a PersistentVolumeClaim."""

    claim: str
    path: str
    """From the claim's root, without slashes at its ends; "" is the root."""


def parse(uri: str) -> Source:
    """The source that a URI names.

    Raises
    ------
    ValueError
        When it names none; the message says what to write.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme in _LATER:
        raise ValueError(f"{scheme}:// sources are not supported by this version: write {_FORM}")
    if not separator or scheme != "pvc":
        raise ValueError(f"write {_FORM}")
    claim, _, path = rest.partition("/")
    if not _CLAIM.fullmatch(claim):
        raise ValueError(f"{claim!r} cannot be the name of a PersistentVolumeClaim: write {_FORM}")
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise ValueError("the path may not hold . or .. parts: write it from the claim's root")
    if not path.isprintable():
        raise ValueError("the path may only hold printable characters")
    return Source(claim=claim, path="/".join(parts))
