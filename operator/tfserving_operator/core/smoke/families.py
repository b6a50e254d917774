"""Numbers of several scales and families, the same on every machine and with every version of numpy.

They come from the raw bits of Philox, whose stream numpy keeps stable, keyed by the input's name and a counter.
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core.smoke import generator, signatures

_GRAIN: Final = 1024.0
"""Floats are multiples of 1/1024: exact in float32, and short as JSON."""
_MASK: Final = re.compile(r"(^|[^a-z])masks?([^a-z]|$)", re.IGNORECASE)
_SEGMENT: Final = re.compile(r"(token_type|segment|type)_?ids", re.IGNORECASE)
_LENGTH: Final = re.compile(r"(^|_)(len|length|seqlen)s?(_|$)", re.IGNORECASE)
_IMAGE_RANK: Final = 4
_IMAGE_CHANNELS: Final = (1, 3, 4)
_FEW: Final = 8
"""So few whole numbers are counted up rather than drawn: they would repeat."""

Array = np.ndarray[Any, Any]
Family = Callable[[Array], Array]
"""From uniform values in [0, 1) to an input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One input to be made."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    ids: int = 0
    """It indexes a table of so many rows; 0 when that is not known."""
    longest: int = 1
    """The most that a length may be: the size of the other inputs' second axis."""


def _ramp(unit: Array) -> Array:
    return np.arange(unit.size, dtype=np.float64) / max(unit.size - 1, 1)


def _below(top: int) -> Family:
    return lambda unit: np.floor(unit * top)


def _around_zero(top: int) -> Family:
    return lambda unit: np.floor(unit * 2 * top) - top


def _share(share: float) -> Family:
    return lambda unit: unit < share


def _as_pixels(family: Family) -> Family:
    return lambda unit: np.clip(np.floor(family(unit) * 255), 0, 255)


def _sparse(unit: Array) -> Array:
    return np.where(unit < 0.9, 0.0, 1.0)  # noqa: PLR2004 - one value in ten


_FLOATS: Final[tuple[Family, ...]] = (
    lambda unit: unit,
    lambda unit: unit * 2 - 1,
    lambda unit: np.floor(unit * 256),
    lambda unit: unit * 20 - 10,
    _ramp,
    lambda unit: unit * 0.0625,
    lambda unit: unit,
    _sparse,
    lambda unit: 1 - _ramp(unit),
    lambda unit: np.floor(unit * 256) * _ramp(unit),
    lambda unit: unit * 2 - 1,
    lambda unit: (unit * 0.5 + 0.5) * 100,
)
_INTEGERS: Final = tuple(_below(top) for top in (2, 3, 4, 2, 10, 5, 10, 50, 8, 100, 250, 1000))
"""Small ones first: an embedding refuses ids beyond its vocabulary."""
_SIGNED: Final = tuple(_around_zero(top) for top in (128, 16, 64, 4) * 3)
_SOUNDS: Final = tuple(_around_zero(top) for top in (32768, 8192, 1024, 128) * 3)
_PIXELS: Final = tuple(_as_pixels(family) for family in (_FLOATS[0], _ramp, _sparse, _FLOATS[8]) * 3)
_BOOLEANS: Final = tuple(_share(share) for share in (0.5, 0.1, 0.9, 0.5, 0.3, 0.7) * 2)
_LARGEST: Final = {"DT_INT8": 127, "DT_INT4": 7, "DT_UINT4": 15}
COUNT: Final = len(_FLOATS)
"""How many families there are."""


def values(wanted: Wanted, index: int) -> Array:
    """Make the values of one input in one case."""
    unit = uniform(f"{wanted.name}/{index}", math.prod(wanted.shape))
    return _flat(wanted, unit, index).reshape(wanted.shape)


def _flat(wanted: Wanted, unit: Array, index: int) -> Array:
    dtype = wanted.dtype
    if _MASK.search(wanted.name):
        # Everything counts: with a random mask, the mask would be all that a case tests
        kind = np.bool_ if dtype == "DT_BOOL" else np.float32 if dtype in signatures.FLOATS else np.int64
        return np.ones(unit.size, dtype=kind)
    if dtype == "DT_BOOL":
        return np.asarray(_BOOLEANS[index](unit))
    if dtype in signatures.FLOATS:
        found = _ids(wanted, unit, index) if wanted.ids else np.round(_FLOATS[index](unit) * _GRAIN) / _GRAIN
        return found.astype(np.float32)
    return _whole(wanted, unit, index).astype(np.uint8 if dtype == "DT_UINT8" else np.int64)


def _whole(wanted: Wanted, unit: Array, index: int) -> Array:
    """Whole numbers: what an input's name, type and shape say of them, in this order."""
    is_image = len(wanted.shape) == _IMAGE_RANK and wanted.shape[-1] in _IMAGE_CHANNELS
    if wanted.ids:
        found = _ids(wanted, unit, index)
    elif _SEGMENT.search(wanted.name):
        found = np.zeros(unit.size)
    elif _LENGTH.search(wanted.name) and len(wanted.shape) <= 1:
        found = np.full(unit.size, 1.0 + index * 5 % max(wanted.longest, 1))
    elif wanted.dtype == "DT_UINT8" or is_image:
        found = _PIXELS[index](unit)
    elif wanted.dtype in ("DT_INT8", "DT_INT16"):
        found = (_SIGNED if wanted.dtype == "DT_INT8" else _SOUNDS)[index](unit)
    elif unit.size < _FEW:
        found = index + np.floor(unit * min(index, 3))
    else:
        found = _INTEGERS[index](unit)
    return np.asarray(np.minimum(found, _LARGEST.get(wanted.dtype, 2**31)))


def _ids(wanted: Wanted, unit: Array, index: int) -> Array:
    """Ids of a table: all over it, the frequent ones at its head, and those followed by padding."""
    first = min(1, wanted.ids - 1)
    if unit.size < _FEW:
        step = max((wanted.ids - first) // COUNT, 1)
        return np.asarray(first + (index * step + np.floor(unit * 2)) % (wanted.ids - first))
    top = (wanted.ids, min(wanted.ids, 50), min(wanted.ids, 1000))[index % 3]
    found = np.asarray(first + np.floor(unit * (top - first)))
    if index % 4 == 3 and len(wanted.shape) > 1:  # noqa: PLR2004 - one case in four is shorter than its row
        found.reshape(-1, wanted.shape[-1])[:, (wanted.shape[-1] + 1) // 2 :] = 0
    return found


def uniform(seed: str, count: int) -> Array:
    """Values in [0, 1) with 24 bits, the same on every machine."""
    key = int.from_bytes(hashlib.sha256(f"{generator.VERSION}/{seed}".encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key).random_raw(count)
    return np.asarray(bits >> np.uint64(40), dtype=np.float64) / float(1 << 24)
