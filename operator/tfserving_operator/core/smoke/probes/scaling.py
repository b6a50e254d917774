"""Inputs on another scale: known constants, and statistics of the training data or of the cases themselves."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import grading, units

Array = units.Array
_UNSCALED: Final = causes.Cause.UnscaledInput
_TWICE: Final = causes.Cause.ScaledTwice
_IMAGE_RANK: Final = 4
_COLOURS: Final = 3
_OWN_ROWS: Final = 8
"""Statistics of the cases' own need this many rows."""
_EPSILON: Final = 1e-12

_IMAGENET_MEAN: Final = np.array([0.485, 0.456, 0.406])
_IMAGENET_STD: Final = np.array([0.229, 0.224, 0.225])
_CAFFE_MEAN: Final = np.array([103.939, 116.779, 123.68])

FIXED: Final[tuple[tuple[str, causes.Cause, Callable[[Array], Array]], ...]] = (
    ("divided by 255", _UNSCALED, lambda x: x / 255.0),
    ("scaled to [-1, 1] (x / 127.5 - 1)", _UNSCALED, lambda x: x / 127.5 - 1.0),
    ("divided by 16", _UNSCALED, lambda x: x / 16.0),
    ("divided by 128", _UNSCALED, lambda x: x / 128.0),
    ("divided by 256", _UNSCALED, lambda x: x / 256.0),
    ("scaled to [-1, 1] (2x - 1)", _UNSCALED, lambda x: 2.0 * x - 1.0),
    ("divided by 100", _UNSCALED, lambda x: x / 100.0),
    ("divided by 1000", _UNSCALED, lambda x: x / 1000.0),
    ("multiplied by 255", _TWICE, lambda x: x * 255.0),
    ("scaled from [-1, 1] to 255", _TWICE, lambda x: (x + 1.0) * 127.5),
    ("multiplied by 16", _TWICE, lambda x: x * 16.0),
    ("multiplied by 128", _TWICE, lambda x: x * 128.0),
    ("multiplied by 256", _TWICE, lambda x: x * 256.0),
    ("scaled from [-1, 1] to [0, 1]", _TWICE, lambda x: (x + 1.0) / 2.0),
    ("multiplied by 100", _TWICE, lambda x: x * 100.0),
    ("multiplied by 1000", _TWICE, lambda x: x * 1000.0),
)
"""What scalers of fixed constants do, and the inverse of each."""

IMAGE: Final[tuple[tuple[str, causes.Cause, Callable[[Array], Array]], ...]] = (
    (
        "standardised with ImageNet's mean and deviation",
        _UNSCALED,
        lambda x: (x / 255.0 - _IMAGENET_MEAN) / _IMAGENET_STD,
    ),
    (
        "turned to BGR less ImageNet's mean (ResNet's preprocess_input)",
        _UNSCALED,
        lambda x: x[..., ::-1] - _CAFFE_MEAN,
    ),
    (
        "turned back from BGR less ImageNet's mean (ResNet's preprocess_input)",
        _TWICE,
        lambda x: (x + _CAFFE_MEAN)[..., ::-1],
    ),
    (
        "turned back from ImageNet's mean and deviation",
        _TWICE,
        lambda x: (x * _IMAGENET_STD + _IMAGENET_MEAN) * 255.0,
    ),
)


def candidates(sample: units.Sample) -> Iterator[grading.Candidate]:
    """Every other scale of the inputs of real numbers."""
    floats = sample.named("f")
    if not floats:
        return
    images = tuple(n for n in floats if sample.units[0].columns[n].ndim == _IMAGE_RANK)
    targets = [floats] if not images or images == floats else [images, floats]
    for names in targets:
        subject = "inputs are" if names == floats else f"input {', '.join(names)} is"
        for text, cause, function in FIXED:
            yield _candidate(f"{subject} {text}", cause, dict.fromkeys(names, function))
    colours = tuple(n for n in images if sample.units[0].columns[n].shape[-1] == _COLOURS)
    if colours:
        for text, cause, function in IMAGE:
            yield _candidate(f"images are {text}", cause, dict.fromkeys(colours, function))
    if images:
        text = "images are standardised one by one"
        yield _candidate(text, _UNSCALED, dict.fromkeys(images, _per_image))
    yield from _by_statistics(sample, floats)


def _candidate(
    when: str, cause: causes.Cause, functions: Mapping[str, Callable[[Array], Array]]
) -> grading.Candidate:
    def change(columns: units.Columns) -> units.Columns:
        return {name: functions[name](a) if name in functions else a for name, a in columns.items()}

    return grading.Candidate(when=when, cause=cause, change=change)


def _per_image(x: Array) -> Array:
    axes = tuple(range(1, x.ndim))
    count = float(np.prod(x.shape[1:]))
    deviation = np.maximum(x.std(axis=axes, keepdims=True), 1.0 / np.sqrt(count))
    return np.asarray((x - x.mean(axis=axes, keepdims=True)) / deviation)


def _by_statistics(sample: units.Sample, floats: tuple[str, ...]) -> Iterator[grading.Candidate]:
    """Scaled by what the training data, else the cases, say of each feature."""
    trained = {name: found for name in floats if (found := _trained(sample, name))}
    if trained:
        yield from _scalers(trained, "by the statistics that the goldens were recorded with")
        return
    own = {name: found for name in floats if (found := _own(sample, name))}
    if own:
        yield from _scalers(own, "by the cases' own statistics")


class _Statistics:
    """Of each feature of one input."""

    def __init__(self, mean: Array, std: Array, low: Array, high: Array) -> None:
        self.mean, self.low = mean, low
        self.std = np.where(std > _EPSILON, std, 1.0)
        self.reach = np.where(high - low > _EPSILON, high - low, 1.0)


def _scalers(found: Mapping[str, _Statistics], whose: str) -> Iterator[grading.Candidate]:
    table: tuple[tuple[str, causes.Cause, Callable[[_Statistics], Callable[[Array], Array]]], ...] = (
        ("standardised", _UNSCALED, lambda s: lambda x: (x - s.mean) / s.std),
        ("scaled to [0, 1]", _UNSCALED, lambda s: lambda x: (x - s.low) / s.reach),
        ("scaled to [-1, 1]", _UNSCALED, lambda s: lambda x: 2.0 * (x - s.low) / s.reach - 1.0),
        ("centred", _UNSCALED, lambda s: lambda x: x - s.mean),
        ("divided by their deviation", _UNSCALED, lambda s: lambda x: x / s.std),
        ("turned back from standardisation", _TWICE, lambda s: lambda x: x * s.std + s.mean),
        ("turned back from [0, 1]", _TWICE, lambda s: lambda x: x * s.reach + s.low),
        ("turned back from [-1, 1]", _TWICE, lambda s: lambda x: (x + 1.0) / 2.0 * s.reach + s.low),
    )
    for text, cause, make in table:
        functions = {name: make(statistics) for name, statistics in found.items()}
        yield _candidate(f"inputs are {text} {whose}", cause, functions)


def _trained(sample: units.Sample, name: str) -> _Statistics | None:
    provenance = sample.found.recording.provenance
    statistics = provenance.inputs.get(name) if provenance else None
    last = sample.units[0].columns[name].shape[-1] if sample.units[0].columns[name].ndim > 1 else 1
    if statistics is None or len(statistics.mean) not in (1, last):
        return None
    parts = (statistics.mean, statistics.std, statistics.min, statistics.max)
    return _Statistics(*(np.asarray(part, dtype=np.float64) for part in parts))


def _own(sample: units.Sample, name: str) -> _Statistics | None:
    arrays = [unit.columns[name] for unit in sample.units]
    if len({array.shape[1:] for array in arrays}) != 1 or arrays[0].ndim >= _IMAGE_RANK:
        return None
    rows = np.concatenate(arrays)
    rows = rows.reshape(-1, rows.shape[-1]) if rows.ndim > 1 else rows.reshape(-1, 1)
    if len(rows) < _OWN_ROWS:
        return None
    parts = (rows.mean(axis=0), rows.std(axis=0), rows.min(axis=0), rows.max(axis=0))
    if arrays[0].ndim == 1:
        parts = tuple(part[0] for part in parts)
    return _Statistics(*parts)
