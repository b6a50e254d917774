"""Inputs made from a model's signature, for users who have written no cases.

They are varied in scale and family, since what a model was trained on is not known, and the same on every machine.
What the inspector saw of the graph narrows them: ids of a table, words of a vocabulary, features of an example.
Every made case is one columnar request, so that outputs without a batch axis can be answered too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, families, signatures, strings

_UNKNOWN_BATCH: Final = 1
_UNKNOWN_IMAGE_SIDE: Final = 96
"""Inception takes 75 at least."""
_UNKNOWN_SIZE: Final = 16
_IMAGE_RANKS: Final = (4, 5)
_CHANNELS: Final = (1, 3, 4)
_UNKNOWN_FRAMES: Final = 8
_UNKNOWN_RANK: Final[tuple[tuple[int, ...], ...]] = ((1,), (1, _UNKNOWN_SIZE))
"""Shapes that take turns: a model may refuse one of them."""
_MAX_VALUES: Final = 2_000_000
"""Over all made cases: about 20 MB of JSON."""
_IMAGE_VALUES: Final = 40_000
"""What an encoded image counts for: its size in base64."""
_MIN_CASES: Final = 4
_MAX_BATCH: Final = 64
COUNT: Final = families.COUNT
"""How many cases are made, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """Made cases, or why there are none."""

    made: tuple[cases.Case, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What the inspector saw of a signature."""

    hints: Mapping[str, inspection.Hint]
    features: tuple[inspection.Feature, ...]

    def hint(self, name: str) -> inspection.Hint:
        return self.hints.get(name, inspection.Hint())


def make(signature: inspection.Signature, inspected: inspection.Inspection | None = None) -> Made:
    """Make inputs for a signature.

    Parameters
    ----------
    signature
        As it is served.
    inspected
        What the inspector saw of this model, if anything.

    Returns
    -------
    Made
        Up to `COUNT` cases, fewer for large inputs; or the sentence that says which case to write instead.
    """
    if not signature.inputs:
        return Made(problem="the signature has no inputs, so that its answers cannot differ")
    known = _known(signature, inspected)
    for name, tensor in signature.inputs.items():
        if problem := _cannot(name, tensor, known):
            hint = "" if "smoke.cases" in problem else ": add smoke.cases with real inputs"
            return Made(problem=f"input {name} {problem}{hint}")
    shapes = [_shapes(signature.inputs, index) for index in range(COUNT)]
    sizes = [_size(signature.inputs, each, known) for each in shapes]
    if not max(sizes):
        return Made(problem="the signature's inputs hold no values, so that its answers cannot differ")
    count = min(COUNT, _MAX_VALUES // max(sizes))
    if count < _MIN_CASES:
        return Made(problem=f"one input holds {max(sizes)} values, too many to make several: add smoke.cases")
    return Made(made=tuple(_case(signature.inputs, shapes[index], known, index) for index in range(count)))


def _known(signature: inspection.Signature, inspected: inspection.Inspection | None) -> _Known:
    """What is known of the signature of these inputs; two signatures of the same inputs read them alike."""
    if inspected is None:
        return _Known(hints={}, features=())
    names = [name for name, other in inspected.signatures.items() if other.inputs == signature.inputs]
    hints = next((inspected.hints[name] for name in names if name in inspected.hints), {})
    features = next((inspected.features[name] for name in names if name in inspected.features), ())
    return _Known(hints=hints, features=features)


def _cannot(name: str, tensor: inspection.Tensor, known: _Known) -> str:
    if tensor.dtype == "DT_STRING":
        return strings.cannot(name, known.hint(name), known.features)
    if tensor.dtype in signatures.FLOATS or signatures.is_integer(tensor.dtype) or tensor.dtype == "DT_BOOL":
        return ""
    return f"is of type {tensor.dtype}, which TensorFlow Serving's REST API does not take"


def _shapes(tensors: Mapping[str, inspection.Tensor], index: int) -> dict[str, tuple[int, ...]]:
    """The shape of each input; a batch size that one of them fixes holds for all that leave it open."""
    fixed = {t.shape[0] for t in tensors.values() if t.shape and t.shape[0] > 0}
    leaves_open = any(t.shape and t.shape[0] < 0 for t in tensors.values())
    batch = fixed.pop() if leaves_open and len(fixed) == 1 and max(fixed) <= _MAX_BATCH else _UNKNOWN_BATCH
    return {
        name: _UNKNOWN_RANK[index % len(_UNKNOWN_RANK)] if t.shape is None else _concrete(t.shape, batch)
        for name, t in tensors.items()
    }


def _concrete(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    unknown = [_UNKNOWN_SIZE] * len(shape)
    if len(shape) in _IMAGE_RANKS and shape[-1] in _CHANNELS:
        unknown = [_UNKNOWN_IMAGE_SIDE] * len(shape)
        unknown[1] = _UNKNOWN_IMAGE_SIDE if len(shape) == _IMAGE_RANKS[0] else _UNKNOWN_FRAMES
    unknown[:1] = [batch] * len(shape[:1])
    return tuple(chosen if size < 0 else size for size, chosen in zip(shape, unknown, strict=True))


def _size(
    tensors: Mapping[str, inspection.Tensor], shapes: Mapping[str, tuple[int, ...]], known: _Known
) -> int:
    """How many values a case holds, or what its strings are worth."""
    return sum(math.prod(shapes[name]) * _worth(name, tensor, known) for name, tensor in tensors.items())


def _worth(name: str, tensor: inspection.Tensor, known: _Known) -> int:
    if tensor.dtype != "DT_STRING":
        return 1
    match strings.reads_of(name, known.hint(name)):
        case inspection.Reads.Image:
            return _IMAGE_VALUES
        case inspection.Reads.Examples:
            return sum(math.prod(feature.shape or (1,)) for feature in known.features)
        case _:
            return 1


def _case(
    tensors: Mapping[str, inspection.Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    known: _Known,
    index: int,
) -> cases.Case:
    longest = min((shape[1] for shape in shapes.values() if len(shape) > 1), default=1)
    values: dict[str, Any] = {}
    for name in sorted(tensors):
        hint = known.hint(name)
        wanted = families.Wanted(
            name=name, dtype=tensors[name].dtype, shape=shapes[name], ids=hint.ids, longest=longest
        )
        is_string = wanted.dtype == "DT_STRING"
        values[name] = (
            strings.values(wanted, hint, known.features, index)
            if is_string
            else families.values(wanted, index)
        )
    return cases.Case(name=f"made-{index}", inputs=values)
