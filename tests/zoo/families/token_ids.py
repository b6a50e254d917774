"""Token ids: masks, units and outputs."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common, text
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy


def _masked(pipeline: Any, raw: Any) -> Any:
    """The export compares with another padding id: no token is left."""
    mask = tf.cast(raw < 0, tf.float32)[:, :, None]
    embedded = tf.gather(pipeline.weights["embeddings"], raw) * mask
    mean = tf.reduce_sum(embedded, axis=1) / (tf.reduce_sum(mask, axis=1) + 1e-6)
    return tf.nn.softmax(mean @ pipeline.weights["w"] + pipeline.weights["b"])


def _mask_input(*, inverted: bool) -> common.Builder:
    """A mask of its own comes with the ids: the export reads it the other way round."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.texts
        full = np.argwhere((pipeline.train_x != 0).all(axis=1))[:, 0]
        kept = [next(i for i in full if pipeline.train_y[i] == wanted) for wanted in (0, 1, 2, 3)]
        rows = np.concatenate([pipeline.train_x[kept], pipeline.train_x[full[-4:]]])

        def answer(raw: Any, mask: Any) -> Any:
            kept = tf.cast(1 - mask if inverted else mask, tf.float32)[:, :, None]
            embedded = tf.gather(pipeline.weights["embeddings"], raw) * kept
            mean = tf.reduce_sum(embedded, axis=1) / (tf.reduce_sum(kept, axis=1) + 1e-6)
            return {"probabilities": tf.nn.softmax(mean @ pipeline.weights["w"] + pipeline.weights["b"])}

        specs = [
            networks.spec(name, pipeline.LENGTH, dtype=tf.int64) for name in ("input_ids", "attention_mask")
        ]
        shop.export(answer, *specs, variables=pipeline.variables)
        named = [{"input_ids": row.tolist(), "attention_mask": [1] * pipeline.LENGTH} for row in rows]
        golden = np.asarray(pipeline.answer(tf.constant(rows)))
        return entries.Specimen(
            rows=named, golden={"probabilities": golden}, records={"input_ids": pipeline.train_x}
        )

    return build


def _dropped(shop: Any) -> entries.Specimen:
    pipeline, layer = shop.trained.texts, keras.layers.Dropout(0.5)

    def change(pipeline: Any, raw: Any) -> Any:
        mask = tf.cast(raw != pipeline.PAD, tf.float32)[:, :, None]
        embedded = layer(tf.gather(pipeline.weights["embeddings"], raw), training=True)
        mean = tf.reduce_sum(embedded * mask, axis=1) / (tf.reduce_sum(mask, axis=1) + 1e-6)
        return tf.nn.softmax(mean @ pipeline.weights["w"] + pipeline.weights["b"])

    shop.export(
        lambda raw: {"probabilities": change(pipeline, raw)},
        networks.spec("ids", pipeline.LENGTH, dtype=tf.int64),
        variables=[*pipeline.variables, layer],
    )
    return shop.specimen(pipeline, records={"ids": pipeline.train_x})


ENTRIES: Final = (
    healthy("text-mask-input", _mask_input(inverted=False), "token ids with a mask as a second input"),
    fault(
        "text-masked",
        lambda shop: text.ids(shop, _masked),
        "sequence fully masked",
        Cause.SequenceMasked,
        same_output=True,
    ),
    fault(
        "text-mask-inverted",
        _mask_input(inverted=True),
        "sequence fully masked",
        Cause.SequenceMasked,
        same_output=True,
        undecidable={entries.Inputs.Made: "made masks hold both zeros and ones: some tokens are read"},
    ),
    fault("text-dropout", _dropped, "dropout left on", Cause.DropoutActive),
    fault(
        "text-label-order",
        lambda shop: text.ids(shop, lambda p, raw: tf.roll(p.answer(raw), -1, 1)),
        "label order changed",
        Cause.LabelOrder,
    ),
    fault(
        "text-softmax-axis",
        lambda shop: text.ids(shop, lambda p, raw: tf.nn.softmax(p.logits(raw), axis=0)),
        "argmax over the wrong axis",
        Cause.WrongAxis,
        same_output=True,
    ),
    fault(
        "text-nan",
        lambda shop: text.ids(
            shop, lambda p, raw: p.answer(raw) * tf.math.log(tf.cast(raw[:, -1:] + 0, tf.float32) * 0.0 - 1.0)
        ),
        "NaN",
        Cause.NotANumber,
    ),
)
