"""Images and sequences whose axes, or whose channels, come in another order."""

from collections.abc import Callable, Iterator
from math import isqrt
from typing import Final

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import grading, units

Array = units.Array
_CHANNELS: Final = (1, 3, 4)
_COLOURS: Final = 3
_IMAGE_RANK: Final = 4
_SEQUENCE_RANK: Final = 3
_SMALLEST_FLAT_IMAGE: Final = 4 * 4 * 3
_MATRIX_RANK: Final = 2

_Changes = Iterator[tuple[str, causes.Cause, Callable[[Array], Array], bool]]
"""What it is called, what it means, and whether the shape changes."""


def candidates(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Every other order of axes and channels, one input at a time."""
    for name in sample.named("f", "i"):
        several = f" of {name}" if len(sample.signature.inputs) > 1 else ""
        for text, cause, function, reshapes in _changes(sample.units[0].columns[name]):

            def change(
                columns: units.Columns, name: str = name, function: Callable[[Array], Array] = function
            ) -> units.Columns:
                return {**columns, name: function(columns[name])}

            group = f"{name} {text}" if reshapes else ""
            yield grading.Candidate(when=text.format(several), cause=cause, change=change, group=group)


def _changes(array: Array) -> _Changes:
    if array.ndim == _IMAGE_RANK:
        yield from _of_images(array.shape)
    elif array.ndim == _SEQUENCE_RANK and array.shape[1] != array.shape[2]:
        text = "the last two axes{} are swapped"
        yield text, causes.Cause.ChannelsAxis, lambda x: x.transpose(0, 2, 1), True
        yield (
            "the values{} are read with the last two axes swapped",
            causes.Cause.ChannelsAxis,
            lambda x: x.transpose(0, 2, 1).reshape(x.shape),
            False,
        )
    elif array.ndim == _MATRIX_RANK:
        yield from _of_flat_images(array.shape[1])


def _of_images(shape: tuple[int, ...]) -> _Changes:
    axis, first = causes.Cause.ChannelsAxis, "channels{} are sent first (NCHW)"
    last = "channels{} are sent last (NHWC)"
    if shape[3] == _COLOURS:
        yield "red and blue{} are swapped", causes.Cause.ChannelOrder, lambda x: x[..., ::-1], False
    if shape[1] == _COLOURS:
        swapped = "red and blue{} are swapped (channels first)"
        yield swapped, causes.Cause.ChannelOrder, lambda x: x[:, ::-1], False
    if shape[3] in _CHANNELS and len(set(shape[1:])) > 1:
        yield first, axis, lambda x: x.transpose(0, 3, 1, 2), True
    if shape[1] in _CHANNELS and len(set(shape[1:])) > 1:
        yield last, axis, lambda x: x.transpose(0, 2, 3, 1), True
    if shape[3] > 1:
        text = "the values{} are laid out channels first"
        yield text, axis, lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape), False
        n, c = shape[1:3], shape[3]
        text = "the values{} are laid out channels last"
        yield text, axis, lambda x: _to_last(x.reshape(len(x), -1), c, n).reshape(x.shape), False


def _of_flat_images(size: int) -> _Changes:
    """A row of an image's values."""
    side = isqrt(size // _COLOURS)
    if size < _SMALLEST_FLAT_IMAGE or side * side * _COLOURS != size:
        return
    sides = (side, side)

    def to_first(x: Array) -> Array:
        return x.reshape(-1, *sides, _COLOURS).transpose(0, 3, 1, 2).reshape(x.shape)

    def swapped(x: Array) -> Array:
        return x.reshape(-1, side * side, _COLOURS)[..., ::-1].reshape(x.shape)

    def swapped_first(x: Array) -> Array:
        return x.reshape(-1, _COLOURS, side * side)[:, ::-1].reshape(x.shape)

    order, axis = causes.Cause.ChannelOrder, causes.Cause.ChannelsAxis
    yield "red and blue{} are swapped", order, swapped, False
    yield "red and blue{} are swapped (channels first)", order, swapped_first, False
    yield "the values{} are laid out channels first", axis, to_first, False
    last = "the values{} are laid out channels last"
    yield last, axis, lambda x: _to_last(x, _COLOURS, sides), False


def _to_last(flat: Array, channels: int, sides: tuple[int, ...]) -> Array:
    return flat.reshape(-1, channels, *sides).transpose(0, 2, 3, 1).reshape(flat.shape)
