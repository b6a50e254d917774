"""Sequences through recurrent units."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
workshop: Any = lazily.Module("tests.zoo.workshop")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy


def _with_mask(*, hidden: bool) -> common.Builder:
    """The mask is an input: 1 keeps a step. Clients that take 1 for padding hide all of a full sequence."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.series
        specs = [
            networks.spec("series", pipeline.STEPS, 2),
            networks.spec("mask", pipeline.STEPS, dtype=tf.int32),
        ]

        def answer(series: Any, mask: Any) -> Any:
            return {"probabilities": tf.nn.softmax(pipeline.logits(series, mask=mask))}

        shop.export(answer, *specs, variables=pipeline.variables)
        mask = [0 if hidden else 1] * pipeline.STEPS
        rows = [{"series": row, "mask": mask} for row in workshop.plain(pipeline.rows)]
        return shop.specimen(pipeline, rows=rows, records={"series": pipeline.train_x})

    return build


def _swapped(pipeline: Any, raw: Any) -> Any:
    return pipeline.logits(raw[:, :, ::-1])


def _reversed_steps(pipeline: Any, raw: Any) -> Any:
    return pipeline.logits(raw[:, ::-1])


def _stateful(shop: Any) -> entries.Specimen:
    """The hidden state of the last request is where the next one starts."""
    pipeline = shop.trained.series
    kept = networks.variable(np.zeros((1, pipeline.UNITS)), "state")

    def answer(raw: Any) -> Any:
        hidden = pipeline.state(raw) + 0.3 * kept
        saved = kept.assign(tf.reduce_mean(hidden, axis=0, keepdims=True))
        with tf.control_dependencies([saved]):
            return tf.nn.softmax(hidden @ pipeline.weights["w"] + pipeline.weights["b"])

    shop.probabilities(pipeline, answer, variables=[kept])
    return shop.specimen(pipeline)


def _whole_numbers(pipeline: Any, raw: Any) -> Any:
    return pipeline.logits(tf.cast(tf.cast(raw, tf.int32), tf.float32))


def _centred(pipeline: Any, raw: Any) -> Any:
    """Sequences are centred over the whole batch."""
    return pipeline.logits(raw - tf.reduce_mean(raw, axis=[0, 1]))


def _dropped(pipeline: Any, layer: Any, raw: Any) -> Any:
    return tf.nn.softmax(
        layer(pipeline.state(raw), training=True) @ pipeline.weights["w"] + pipeline.weights["b"]
    )


def _millivolts(shop: Any) -> entries.Specimen:
    """Clients send pixels' range, training had divided by 255: the units saturate."""
    pipeline = shop.trained.series
    rows = np.round(pipeline.rows * 255.0, 2)
    golden = np.asarray(pipeline.answer(tf.constant(rows / 255.0, tf.float32)))
    shop.probabilities(pipeline, pipeline.answer)
    return shop.specimen(
        pipeline,
        rows=rows.tolist(),
        golden={"probabilities": golden},
        records={"x": pipeline.train_x * 255.0},
    )


def _keras_units(shop: Any, *, returns: str = "GRU") -> entries.Specimen:
    """Keras's own recurrent layer, untrained under a drawn head: what matters is its loop in the graph."""
    pipeline = shop.trained.series
    keras.utils.set_random_seed(int(shop.random.integers(1 << 30)))
    layer = getattr(keras.layers, returns)(8)
    head = networks.variable(shop.random.normal(0.0, 1.5, (8, 3)))
    layer.build((None, pipeline.STEPS, 2))

    def answer(raw: Any) -> Any:
        return tf.nn.softmax(layer(raw) @ head)

    shop.probabilities(pipeline, answer, variables=[layer, head])
    return shop.specimen(pipeline, golden={"probabilities": np.asarray(answer(tf.constant(pipeline.rows)))})


ENTRIES: Final = (
    healthy("recurrent-mask-input", _with_mask(hidden=False), "sequences with a mask as a second input"),
    healthy("recurrent-series", common.served("series"), "the recurrent baseline"),
    healthy("recurrent-gru", _keras_units, "keras's gated units, a loop in the graph"),
    healthy(
        "recurrent-lstm", lambda shop: _keras_units(shop, returns="LSTM"), "keras's long short-term units"
    ),
    fault(
        "recurrent-masked",
        _with_mask(hidden=True),
        "sequence fully masked",
        Cause.SequenceMasked,
        same_output=True,
        undecidable={entries.Inputs.Made: "made masks hold ones too: some steps are read"},
    ),
    fault(
        "recurrent-feature-order",
        common.with_logits("series", _swapped),
        "features mapped in the wrong order",
        Cause.FeatureOrder,
    ),
    fault("recurrent-unscaled", _millivolts, "scaler missing", Cause.UnscaledInput),
    fault("recurrent-state", _stateful, "state that drifts between calls", Cause.StateDrift),
    fault(
        "recurrent-int-truncation",
        common.with_logits("series", _whole_numbers),
        "int truncation",
        Cause.IntegerTruncation,
    ),
    fault(
        "recurrent-batch-centred",
        common.with_logits("series", _centred),
        "batch prediction against single prediction (batch statistics)",
        Cause.BatchDependent,
    ),
    fault(
        "recurrent-dropout",
        common.with_layer("series", lambda: keras.layers.Dropout(0.5), _dropped),
        "dropout left on",
        Cause.DropoutActive,
    ),
    fault(
        "recurrent-traced-example",
        common.disconnected("series"),
        "input placeholder disconnected",
        Cause.InputDisconnected,
        same_output=True,
    ),
    fault("recurrent-label-order", common.other_labels("series"), "label order changed", Cause.LabelOrder),
    fault(
        "recurrent-rows-shuffled",
        common.served("series", lambda p, raw: p.answer(tf.random.shuffle(raw))),
        "rows of a batch shuffled",
        Cause.RowOrder,
    ),
    fault("recurrent-nan", common.broken_bias("series", "b", np.nan), "NaN", Cause.NotANumber),
)
