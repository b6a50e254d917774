"""The forms of smoke cases: what is sent, what is expected back, and where the expectation comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tfserving_operator.api.smoke import Channels, Scale
from tfserving_operator.core import inspection

__all__ = [
    "DEFAULT_ATOL",
    "DEFAULT_RTOL",
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
]

DEFAULT_RTOL: Final = 1e-3
DEFAULT_ATOL: Final = 1e-5


class InvalidCases(ValueError):  # noqa: N818 - it names what is wrong, like a NameError
    """The smoke cases cannot be used; the message names source, case and field, and what to write instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopK:
    """For wide outputs: the `k` classes with the highest values, for each row."""

    output: str
    k: int
    classes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expect:
    """The golden answer to a case."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    """By the output's name: nested lists, batch first."""
    top_k: TopK | None = None
    rtol: float = DEFAULT_RTOL
    atol: float = DEFAULT_ATOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image file, and how it becomes one row."""

    b64: str
    format: str = ""
    """What it must be, such as JPEG; "" for any that is known."""
    channels: Channels = Channels.RGB
    height: int = 0
    """0: the image's own, as with the width."""
    width: int = 0
    dtype: str = "uint8"
    scale: Scale = Scale.Bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One or more rows that are sent to the predict API: `instances` or `inputs` as they stand, or `images`."""

    name: str
    instances: Sequence[Any] | None = None
    inputs: Any = None
    images: tuple[Image, ...] = ()
    """Files that `images.decoded` makes instances of; it keeps them, for the canonical form."""
    expect: Expect | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """The rows as the predict API takes them, without the signature's name."""
        return {"instances": self.instances} if self.instances is not None else {"inputs": self.inputs}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """How an input's values were distributed over all records that goldens were recorded from.

    Each tuple holds one number for each feature of the last axis.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]
    count: int
    """How many values each number is made from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What goldens were recorded with: it refines a failure's cause, and is never sent to a model."""

    tensorflow_version: str = ""
    model_digest: str = ""
    pipeline_digest: str = ""
    """Of the user's training pipeline, where the goldens are its answers."""
    signature: inspection.Signature | None = None
    signature_name: str = ""
    inputs: Mapping[str, Statistics] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    """File name -> `sha256:<hex>`."""
    vocabularies: tuple[str, ...] = ()
    """Names of the assets that lookup tables read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedCases:
    """A smoke input. Without cases, inputs are made from the model's signature."""

    cases: tuple[Case, ...]
    digest: str
    """`sha256:<hex>` of the canonical form, or of the generator's version for made inputs."""
    canonical: bytes
    """JSON, compressed by gzip where it is long; b"" for made inputs."""
    size: int = 0
    """Bytes of the JSON."""
    provenance: Provenance | None = None
