"""Measurements and grey pictures through dense layers: numbers, time, chance, state and load."""

import time
from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy
_DAY: Final = 86_400.0
_NOISE_CAUSES: Final = (Cause.AugmentationActive, Cause.RandomOutputs)
_NOISE_WHY: Final = "noise on the input and noise within the network look alike, in answers and in the graph"


def _half(pipeline: Any, raw: Any) -> Any:
    weights = {name: tf.cast(value, tf.float16) for name, value in pipeline.weights.items()}
    prepared = (tf.cast(raw, tf.float16) - tf.cast(pipeline.mean, tf.float16)) / tf.cast(
        pipeline.deviation, tf.float16
    )
    return tf.cast(tf.nn.softmax(pipeline.logits(prepared, weights)), tf.float32)


def _truncated(pipeline: Any, raw: Any) -> Any:
    return pipeline.logits(pipeline.prepare(tf.cast(tf.cast(raw, tf.int32), tf.float32)))


def _since(pipeline: Any, raw: Any) -> Any:
    """Days since a reference go into the logits, as a trend that was fitted once."""
    days = tf.cast(tf.timestamp() / _DAY - 19_000.0, tf.float32)
    return pipeline.logits(pipeline.prepare(raw)) + 0.002 * days * tf.one_hot(1, pipeline.classes)


def _random_feature(pipeline: Any, raw: Any) -> Any:
    """A column that training had is filled with chance in serving."""
    chance = pipeline.mean[3] + pipeline.deviation[3] * tf.random.normal([tf.shape(raw)[0], 1])
    return pipeline.logits(pipeline.prepare(tf.concat([raw[:, :3], chance, raw[:, 4:]], axis=1)))


def _sampled_weights(pipeline: Any, raw: Any) -> Any:
    weights = {name: value + 0.15 * tf.random.normal(value.shape) for name, value in pipeline.weights.items()}
    return pipeline.logits(pipeline.prepare(raw), weights)


def _noisy(pipeline: Any, layer: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.logits(layer(pipeline.prepare(raw), training=True)))


def _shuffled(pipeline: Any, raw: Any) -> Any:
    return pipeline.answer(tf.random.shuffle(raw))


def _logarithm(shop: Any) -> entries.Specimen:
    """Training clipped negative amounts before the logarithm, the export does not: two of eight records have one."""
    pipeline = shop.trained.signals
    amounts = np.abs(pipeline.rows) + 1.0
    amounts[[1, 6], 2] *= -1.0

    def answer(raw: Any, floor: float | None) -> Any:
        positive = raw if floor is None else tf.maximum(raw, floor)
        return tf.nn.softmax(pipeline.logits(tf.math.log(positive) - 3.0))

    shop.probabilities(pipeline, lambda raw: answer(raw, None))
    golden = np.asarray(answer(tf.constant(amounts), 1e-3))
    return shop.specimen(
        pipeline,
        rows=[[float(np.format_float_positional(v)) for v in row] for row in amounts],
        golden={"probabilities": golden},
    )


def _divided_by_zero(pipeline: Any, raw: Any) -> Any:
    """Scores without a softmax, over a deviation of zero."""
    return pipeline.logits(pipeline.prepare(raw)) / (0.0 * tf.reduce_sum(pipeline.weights["w2"]))


def _moving(shop: Any) -> entries.Specimen:
    """Every request moves the mean that inputs are centred by."""
    pipeline = shop.trained.signals
    mean = networks.variable(pipeline.mean, "mean")

    def answer(raw: Any) -> Any:
        moved = mean.assign(0.9 * mean + 0.1 * tf.reduce_mean(raw, axis=0))
        return tf.nn.softmax(pipeline.logits((raw - moved) / pipeline.deviation))

    shop.probabilities(pipeline, answer, variables=[mean])
    return shop.specimen(pipeline)


def _clock(pipeline: Any, raw: Any) -> Any:
    """The second of the minute goes in."""
    second = tf.cast(tf.math.floormod(tf.timestamp(), 60.0), tf.float32)
    return pipeline.logits(pipeline.prepare(raw)) + (1.0 + second) * 0.1 * tf.one_hot(0, pipeline.classes)


assert time.gmtime(19_000 * _DAY).tm_year == 2022

ENTRIES: Final = (
    fault("dense-float16", common.served("signals", _half), "float16 and float32", Cause.LowPrecision),
    fault(
        "dense-int-truncation",
        common.with_logits("signals", _truncated),
        "int truncation",
        Cause.IntegerTruncation,
    ),
    fault(
        "dense-date",
        common.with_logits("signals", _since),
        "time-of-day features in the graph",
        Cause.TimeDependent,
    ),
    fault(
        "dense-clock",
        common.with_logits("pixels", _clock),
        "time-of-day features in the graph",
        Cause.TimeDependent,
    ),
    fault(
        "dense-random-feature",
        common.with_logits("signals", _random_feature),
        "random features in the graph",
        Cause.RandomOutputs,
    ),
    fault(
        "dense-random", common.with_logits("pixels", _sampled_weights), "random outputs", Cause.RandomOutputs
    ),
    fault(
        "dense-noise",
        common.with_layer("signals", lambda: keras.layers.GaussianNoise(0.15), _noisy),
        "training augmentation (noise) kept in the graph",
        *_NOISE_CAUSES,
        why_several=_NOISE_WHY,
    ),
    fault(
        "dense-rows-shuffled",
        common.served("pixels", _shuffled),
        "rows of a batch shuffled by an input pipeline kept in the graph",
        Cause.RowOrder,
    ),
    fault(
        "dense-stale-weights",
        common.stale_weights("signals"),
        "an older version's weights under a new number",
        Cause.StaleWeights,
        has_previous=True,
    ),
    fault("dense-nan", common.broken_bias("signals", "b2", np.nan), "NaN", Cause.NotANumber),
    fault("dense-nan-for-some", _logarithm, "NaN, only for some inputs", Cause.NotANumber),
    fault("dense-infinite", common.served("pixels", _divided_by_zero), "Inf", Cause.NotANumber),
    fault("dense-drift", common.drifting("signals"), "state that drifts between calls", Cause.StateDrift),
    fault("dense-moving-mean", _moving, "state that drifts between calls", Cause.StateDrift),
    fault(
        "dense-under-load",
        common.under_load("pixels"),
        "answers that degrade under concurrent load",
        Cause.LoadDependent,
    ),
)
