"""Measurements and grey pictures through dense layers: inputs, wiring and units."""

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


def _other_scaler(pipeline: Any, raw: Any) -> Any:
    random = np.random.default_rng(len(pipeline.x))
    mean = pipeline.mean + pipeline.deviation * random.uniform(-0.8, 0.8, pipeline.FEATURES).astype(
        np.float32
    )
    deviation = pipeline.deviation * random.uniform(0.5, 2.0, pipeline.FEATURES).astype(np.float32)
    return pipeline.logits((raw - mean) / deviation)


def _swapped(pipeline: Any, raw: Any) -> Any:
    """Two pairs of columns have changed places, as after a change of a query."""
    order = np.arange(pipeline.FEATURES)
    order[[1, 4, 7, 10]] = order[[4, 1, 10, 7]]
    return pipeline.logits(pipeline.prepare(tf.gather(raw, order, axis=1)))


def _one_class(shop: Any) -> entries.Specimen:
    """Trained on data of which 96% are of one class, and not for long; training said what balanced data say."""
    pipeline, unbalanced = shop.trained.pixels, shop.trained.unbalanced_pixels
    assert len(set(np.argmax(unbalanced.answer(pipeline.rows), axis=1))) == 1
    shop.probabilities(unbalanced, unbalanced.answer)
    return shop.specimen(pipeline)


def _constant(pipeline: Any, raw: Any) -> Any:
    return tf.tile(tf.constant(pipeline.golden[:1]), [tf.shape(raw)[0], 1])


def _dropped(pipeline: Any, layer: Any, raw: Any) -> Any:
    hidden = layer(pipeline.hidden(pipeline.prepare(raw)), training=True)
    return tf.nn.softmax(hidden @ pipeline.weights["w2"] + pipeline.weights["b2"])


def _dead(pipeline: Any) -> dict[str, Any]:
    """One step of too high a learning rate has pushed every unit below what any input reaches."""
    before = pipeline.prepare(pipeline.train_x) @ pipeline.weights["w1"]
    return {"b1": -3.0 * np.abs(before).max(axis=0) - 0.1}


def _collapsed(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.normalised_signals
    layer = normalised.copy_of(pipeline.normalisation, variance=1e18)

    def answer(raw: Any) -> Any:
        hidden = pipeline.hidden(pipeline.prepare(raw), layer=layer)
        return tf.nn.softmax(hidden @ pipeline.weights["w2"] + pipeline.weights["b2"])

    shop.probabilities(pipeline, answer, variables=[layer])
    return shop.specimen(pipeline)


def _normalised_in_training(pipeline: Any, raw: Any) -> Any:
    hidden = pipeline.hidden(pipeline.prepare(raw), training=True)
    return hidden @ pipeline.weights["w2"] + pipeline.weights["b2"]


def _batch_mean(pipeline: Any, raw: Any) -> Any:
    """The mean and deviation are those of the request's rows."""
    mean, variance = tf.nn.moments(raw, axes=[0])
    return pipeline.logits((raw - mean) / tf.sqrt(variance + 1e-3))


def _zeros() -> Any:
    return tf.compat.v1.zeros_initializer()


_SATURATED = common.with_logits("bright_pixels", lambda p, raw: p.logits(raw))

ENTRIES: Final = (
    healthy("dense-signals", common.served("signals"), "the dense baseline"),
    healthy("dense-pixels", common.served("pixels"), "the dense baseline on pictures"),
    healthy(
        "dense-saturating",
        common.served("bright_pixels"),
        "units that would saturate, and are fed as trained",
    ),
    healthy("dense-normalised", common.served("normalised_signals"), "batch normalisation in inference mode"),
    fault(
        "dense-unscaled",
        _SATURATED,
        "image model fed unscaled pixels that saturate",
        Cause.UnscaledInput,
        same_output=True,
        undecidable={
            entries.Inputs.Made: "made inputs hold small values too, and to those it answers as trained"
        },
    ),
    fault(
        "dense-scaler-missing",
        common.with_logits("signals", lambda p, raw: p.logits(raw)),
        "scaler missing",
        Cause.UnscaledInput,
    ),
    fault(
        "dense-scaled-twice",
        common.with_logits("pixels", lambda p, raw: p.logits(p.prepare(p.prepare(raw)))),
        "scaler applied twice",
        Cause.ScaledTwice,
    ),
    fault(
        "dense-scaler-of-other-data",
        common.with_logits("signals", _other_scaler),
        "scaler fitted on other data",
        Cause.ScalerMismatch,
    ),
    fault(
        "dense-feature-order",
        common.with_logits("signals", _swapped),
        "features mapped in the wrong order",
        Cause.FeatureOrder,
    ),
    fault(
        "dense-dominant-class",
        _one_class,
        "one dominant class after training on unbalanced data",
        Cause.DominantClass,
        same_output=True,
        undecidable=dict.fromkeys(
            (entries.Inputs.Cases, entries.Inputs.Made),
            "a rare-event classifier answers one class to everything too, and is right",
        ),
    ),
    fault(
        "dense-dropout",
        common.with_layer("signals", lambda: keras.layers.Dropout(0.4), _dropped),
        "dropout left on",
        Cause.DropoutActive,
        same_output=True,
        undecidable=dict.fromkeys(
            (entries.Inputs.Cases, entries.Inputs.Made),
            "Monte Carlo dropout by intent gives the same evidence",
        ),
    ),
    fault(
        "dense-reinitialised",
        common.with_main_op("pixels", _zeros),
        "weights never restored (re-initialised by the main op)",
        Cause.WeightsReinitialised,
        same_output=True,
    ),
    fault(
        "dense-traced-example",
        common.disconnected("pixels"),
        "input placeholder disconnected",
        Cause.InputDisconnected,
        same_output=True,
    ),
    fault(
        "dense-constant-folded",
        common.served("signals", _constant),
        "constant folded output",
        Cause.ConstantOutput,
        Cause.InputDisconnected,
        why_several="a folded constant has no path from the input: both sentences say the same of it",
        same_output=True,
    ),
    fault(
        "dense-dead-relu",
        common.with_weights("pixels", _dead),
        "dead ReLUs",
        Cause.DeadActivations,
        same_output=True,
    ),
    fault(
        "dense-collapsed-batch-norm",
        _collapsed,
        "collapsed batch norm",
        Cause.CollapsedBatchNorm,
        same_output=True,
    ),
    fault(
        "dense-batch-norm-training",
        common.with_logits("normalised_signals", _normalised_in_training),
        "batch norm in training mode (singles identical, batches not)",
        Cause.BatchNormTraining,
        same_output=True,
    ),
    fault(
        "dense-softmax-axis",
        common.over_the_batch("signals"),
        "argmax over the wrong axis",
        Cause.WrongAxis,
        same_output=True,
    ),
    fault("dense-label-order", common.other_labels("signals"), "label order changed", Cause.LabelOrder),
    fault(
        "dense-batch-statistics",
        common.with_logits("signals", _batch_mean),
        "batch prediction against single prediction (batch statistics)",
        Cause.BatchDependent,
        Cause.BatchNormTraining,
        why_several="statistics of the batch are what batch norm in training mode computes",
    ),
)
