"""Colour pictures through convolutions."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
networks: Any = lazily.Module("tests.zoo.networks")
normalised: Any = lazily.Module("tests.zoo.normalised")
fault, healthy = entries.fault, entries.healthy


def _unscaled(pipeline: Any, raw: Any) -> Any:
    return pipeline.logits(raw)


def _first_rows(pipeline: Any) -> Any:
    """The raw pictures with channels first."""
    return np.ascontiguousarray(np.transpose(pipeline.rows, (0, 3, 1, 2)))


def _reshaped(shop: Any) -> entries.Specimen:
    """Clients send channels first; the export reshapes where it should transpose."""
    pipeline = shop.trained.pictures
    spec = networks.spec("x", 3, 16, 16)
    shop.probabilities(pipeline, lambda raw: pipeline.answer(tf.reshape(raw, [-1, 16, 16, 3])), spec=spec)
    return shop.specimen(pipeline, rows=_first_rows(pipeline).tolist())


def _transposed(shop: Any) -> entries.Specimen:
    """Clients send channels last in a flat list; the export takes it for channels first."""
    pipeline = shop.trained.pictures
    spec = networks.spec("x", 16, 16, 3)

    def answer(raw: Any) -> Any:
        return pipeline.answer(tf.transpose(tf.reshape(raw, [-1, 3, 16, 16]), [0, 2, 3, 1]))

    shop.probabilities(pipeline, answer, spec=spec)
    return shop.specimen(pipeline)


def _dropped(pipeline: Any, layer: Any, raw: Any) -> Any:
    features = layer(pipeline.features(pipeline.prepare(raw)), training=True)
    return tf.nn.softmax(features @ pipeline.weights["w"] + pipeline.weights["b"])


def _dead(pipeline: Any) -> dict[str, Any]:
    first = tf.nn.conv2d(pipeline.prepare(pipeline.train_x), pipeline.weights["k1"], 2, "SAME")
    return {"b1": -3.0 * np.abs(first).max(axis=(0, 1, 2)) - 0.1, "b2": np.full(12, -0.2)}


def _collapsed(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.normalised_pictures
    layer = normalised.copy_of(pipeline.normalisation, variance=1e15)
    weights = pipeline.weights

    def answer(raw: Any) -> Any:
        features = pipeline.features(pipeline.prepare(raw), layer=layer)
        return tf.nn.softmax(features @ weights["w"] + weights["b"])

    shop.probabilities(pipeline, answer, variables=[layer])
    return shop.specimen(pipeline)


def _normalised_in_training(pipeline: Any, raw: Any) -> Any:
    features = pipeline.features(pipeline.prepare(raw), training=True)
    return features @ pipeline.weights["w"] + pipeline.weights["b"]


def _cropped(pipeline: Any, raw: Any) -> Any:
    padded = tf.image.resize_with_crop_or_pad(raw, 22, 22)
    return pipeline.answer(tf.map_fn(lambda one: tf.image.random_crop(one, [16, 16, 3]), padded))


def _flipped(pipeline: Any, layer: Any, raw: Any) -> Any:
    return pipeline.answer(layer(raw, training=True))


def _noisy(pipeline: Any, layer: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.logits(layer(pipeline.prepare(raw), training=True)))


def _flip() -> Any:
    return keras.layers.RandomFlip("horizontal_and_vertical", seed=7)


def _bytes_before_scaling(pipeline: Any, raw: Any) -> Any:
    """Pixels are scaled, and then cast to whole numbers: -1, 0 and 1 are left."""
    return pipeline.logits(tf.cast(tf.cast(pipeline.prepare(raw), tf.int32), tf.float32))


ENTRIES: Final = (
    healthy("conv-pictures", common.served("pictures"), "the convolutional baseline"),
    healthy("conv-normalised", common.served("normalised_pictures"), "batch normalisation in inference mode"),
    fault(
        "conv-unscaled",
        common.with_logits("pictures", _unscaled),
        "image model fed unscaled pixels",
        Cause.UnscaledInput,
    ),
    fault(
        "conv-scaled-twice",
        common.with_logits("pictures", lambda p, raw: p.logits(p.prepare(p.prepare(raw)))),
        "scaler applied twice",
        Cause.ScaledTwice,
    ),
    fault(
        "conv-bgr",
        common.served("pictures", lambda p, raw: p.answer(raw[..., ::-1])),
        "RGB/BGR",
        Cause.ChannelOrder,
    ),
    fault("conv-channels-first", _reshaped, "NHWC/NCHW", Cause.ChannelsAxis),
    fault("conv-channels-last", _transposed, "NHWC/NCHW", Cause.ChannelsAxis),
    fault("conv-label-order", common.other_labels("pictures"), "label order changed", Cause.LabelOrder),
    fault(
        "conv-dropout",
        common.with_layer("pictures", lambda: keras.layers.Dropout(0.5), _dropped),
        "dropout left on",
        Cause.DropoutActive,
    ),
    fault(
        "conv-dead-relu",
        common.with_weights("pictures", _dead),
        "dead ReLUs",
        Cause.DeadActivations,
        same_output=True,
    ),
    fault(
        "conv-collapsed-batch-norm",
        _collapsed,
        "collapsed batch norm",
        Cause.CollapsedBatchNorm,
        same_output=True,
    ),
    fault(
        "conv-batch-norm-training",
        common.with_logits("normalised_pictures", _normalised_in_training),
        "batch norm in training mode (each picture has statistics of its own)",
        Cause.BatchNormTraining,
    ),
    fault(
        "conv-crop",
        common.served("pictures", _cropped),
        "training augmentation (crop) kept in the graph",
        Cause.AugmentationActive,
    ),
    fault(
        "conv-flip",
        common.with_layer("pictures", _flip, _flipped),
        "training augmentation (flip) kept in the graph",
        Cause.AugmentationActive,
    ),
    fault(
        "conv-noise",
        common.with_layer("pictures", lambda: keras.layers.GaussianNoise(0.3), _noisy),
        "training augmentation (noise) kept in the graph",
        Cause.AugmentationActive,
        Cause.RandomOutputs,
        why_several="noise on the input and noise within the network look alike, in answers and in the graph",
    ),
    fault(
        "conv-int-truncation",
        common.with_logits("pictures", _bytes_before_scaling),
        "int truncation",
        Cause.IntegerTruncation,
    ),
    fault("conv-nan", common.broken_bias("pictures", "b", np.nan), "NaN", Cause.NotANumber),
    fault("conv-drift", common.drifting("pictures"), "state that drifts between calls", Cause.StateDrift),
    fault(
        "conv-under-load",
        common.under_load("pictures"),
        "answers that degrade under concurrent load",
        Cause.LoadDependent,
    ),
    fault(
        "conv-softmax-axis",
        common.over_the_batch("pictures"),
        "argmax over the wrong axis",
        Cause.WrongAxis,
        same_output=True,
    ),
    fault(
        "conv-stale-weights",
        common.stale_weights("pictures"),
        "an older version's weights under a new number",
        Cause.StaleWeights,
        has_previous=True,
    ),
)
