"""Inputs made from a model's signature, for users who have written no cases.

They are varied in scale and family, since what a model was trained on is not known, and the same on every
machine: the raw bits of Philox, whose stream numpy keeps stable, keyed by the input's name and a counter.
Every made case is one columnar request, so that outputs without a batch axis can be answered too.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, generator, signatures

_UNKNOWN_BATCH: Final = 1
_UNKNOWN_IMAGE_SIDE: Final = 96
"""Inception takes 75 at least."""
_UNKNOWN_SIZE: Final = 16
_IMAGE_RANK: Final = 4
_CHANNELS: Final = (1, 3, 4)
_MAX_VALUES: Final = 2_000_000
"""Over all made cases: about 20 MB of JSON."""
_MIN_CASES: Final = 4
_GRAIN: Final = 1024.0
"""Floats are multiples of 1/1024: exact in float32, and short as JSON."""

Array = np.ndarray[Any, Any]
Family = Callable[[Array], Array]
"""From uniform values in [0, 1) to an input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """Made cases, or why there are none."""

    made: tuple[cases.Case, ...] = ()
    problem: str = ""


def _ramp(unit: Array) -> Array:
    return np.arange(unit.size, dtype=np.float64) / max(unit.size - 1, 1)


def _below(top: int) -> Family:
    return lambda unit: np.floor(unit * top)


def _share(share: float) -> Family:
    return lambda unit: unit < share


def _as_pixels(family: Family) -> Family:
    return lambda unit: np.clip(np.floor(family(unit) * 255), 0, 255)


_FLOAT_FAMILIES: Final[tuple[Family, ...]] = (
    lambda unit: unit,
    lambda unit: unit * 2 - 1,
    lambda unit: np.floor(unit * 256),
    lambda unit: unit * 20 - 10,
    _ramp,
    lambda unit: unit * 0.0625,
    lambda unit: unit,
    lambda unit: np.where(unit < 0.9, 0.0, 1.0),  # noqa: PLR2004 - sparse: one value in ten
    lambda unit: 1 - _ramp(unit),
    lambda unit: np.floor(unit * 256) * _ramp(unit),
    lambda unit: unit * 2 - 1,
    lambda unit: (unit * 0.5 + 0.5) * 100,
)
_INTEGER_FAMILIES: Final = tuple(_below(top) for top in (2, 3, 4, 2, 10, 5, 10, 50, 8, 100, 250, 1000))
"""Small ones first: an embedding refuses ids beyond its vocabulary."""
_PIXEL_FAMILIES: Final = tuple(
    _as_pixels(family) for family in (_FLOAT_FAMILIES[0], _ramp, _FLOAT_FAMILIES[7], _FLOAT_FAMILIES[8]) * 3
)
_BOOLEAN_FAMILIES: Final = tuple(_share(share) for share in (0.5, 0.1, 0.9, 0.5, 0.3, 0.7) * 2)
COUNT: Final = len(_FLOAT_FAMILIES)


def make(signature: inspection.Signature) -> Made:
    """Make inputs for a signature.

    Returns
    -------
    Made
        Up to `COUNT` cases, fewer for large inputs; or the sentence that says which case to write instead.
    """
    if not signature.inputs:
        return Made(problem="the signature has no inputs, so that its answers cannot differ")
    for name, tensor in signature.inputs.items():
        if problem := _cannot(tensor):
            return Made(problem=f"input {name} {problem}: add smoke.cases with real inputs")
    shapes = {name: _concrete(tensor.shape) for name, tensor in signature.inputs.items()}
    values = sum(math.prod(shape) for shape in shapes.values())
    count = min(COUNT, _MAX_VALUES // max(values, 1))
    if count < _MIN_CASES:
        return Made(problem=f"one input holds {values} values, too many to make several: add smoke.cases")
    return Made(made=tuple(_case(signature.inputs, shapes, index) for index in range(count)))


def _cannot(tensor: inspection.Tensor) -> str:
    if tensor.dtype == "DT_STRING":
        return "takes strings (text, encoded images or serialised examples), which cannot be made up"
    if tensor.dtype in signatures.FLOATS or signatures.is_integer(tensor.dtype) or tensor.dtype == "DT_BOOL":
        return ""
    return f"is of type {tensor.dtype}, which TensorFlow Serving's REST API does not take"


def _concrete(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        return (_UNKNOWN_BATCH,)
    is_image = len(shape) == _IMAGE_RANK and shape[-1] in _CHANNELS
    unknown = _UNKNOWN_IMAGE_SIDE if is_image else _UNKNOWN_SIZE
    first = tuple(_UNKNOWN_BATCH if size < 0 else size for size in shape[:1])
    return first + tuple(unknown if size < 0 else size for size in shape[1:])


def _case(
    tensors: Mapping[str, inspection.Tensor], shapes: Mapping[str, tuple[int, ...]], index: int
) -> cases.Case:
    values = {name: _values(name, tensors[name].dtype, shapes[name], index) for name in sorted(tensors)}
    return cases.Case(name=f"made-{index}", inputs=values)


def _values(name: str, dtype: str, shape: tuple[int, ...], index: int) -> Array:
    unit = _uniform(f"{generator.VERSION}/{name}/{index}", math.prod(shape))
    if dtype == "DT_BOOL":
        return _BOOLEAN_FAMILIES[index](unit).reshape(shape)
    if dtype == "DT_UINT8":
        return _PIXEL_FAMILIES[index](unit).astype(np.uint8).reshape(shape)
    if signatures.is_integer(dtype):
        top = 127 if dtype == "DT_INT8" else 7 if dtype.endswith("INT4") else 2**31
        return np.minimum(_INTEGER_FAMILIES[index](unit), top).astype(np.int64).reshape(shape)
    grained = np.round(_FLOAT_FAMILIES[index](unit) * _GRAIN) / _GRAIN
    return grained.astype(np.float32).reshape(shape)


def _uniform(seed: str, count: int) -> Array:
    """Values in [0, 1) with 24 bits, the same on every machine."""
    key = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "little")
    bits = np.random.Philox(key=key).random_raw(count)
    return np.asarray(bits >> np.uint64(40), dtype=np.float64) / float(1 << 24)
