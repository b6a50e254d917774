"""Measurements and grey pictures through dense layers."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")


def _signals(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.signals
    shop.classifier(pipeline)
    return shop.specimen(pipeline)


def _pixels(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.pixels
    shop.classifier(pipeline)
    return shop.specimen(pipeline)


def _scaler_missing(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.signals
    shop.classifier(pipeline, pipeline.logits)
    return shop.specimen(pipeline)


def _scaled_twice(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.pixels
    shop.classifier(pipeline, lambda x: pipeline.logits(pipeline.prepare(pipeline.prepare(x))))
    return shop.specimen(pipeline)


def _not_a_number(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.signals
    broken = networks.variable(np.where(np.arange(4) == 1, np.nan, pipeline.weights["b2"].numpy()))
    weights = pipeline.weights | {"b2": broken}
    shop.classifier(pipeline, lambda x: pipeline.logits(pipeline.prepare(x), weights), variables=[broken])
    return shop.specimen(pipeline)


def _traced_example(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.pixels
    example = tf.constant(pipeline.train_x[:1])

    def logits(x: Any) -> Any:
        return pipeline.logits(pipeline.prepare(tf.tile(example, [tf.shape(x)[0], 1])))

    shop.classifier(pipeline, logits)
    return shop.specimen(pipeline)


ENTRIES: Final = (
    entries.healthy("dense-signals", _signals, "the dense baseline"),
    entries.healthy("dense-pixels", _pixels, "the dense baseline on pictures"),
    entries.fault("dense-scaler-missing", _scaler_missing, "scaler missing", Cause.UnscaledInput),
    entries.fault("dense-scaled-twice", _scaled_twice, "scaler applied twice", Cause.ScaledTwice),
    entries.fault("dense-nan", _not_a_number, "NaN", Cause.NotANumber),
    entries.fault(
        "dense-traced-example",
        _traced_example,
        "input placeholder disconnected",
        Cause.InputDisconnected,
        same_output=True,
    ),
)
