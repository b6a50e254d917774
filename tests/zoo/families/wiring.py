"""Convolutional models whose graph is wired wrong: to no picture, to a queue, to an initialiser."""

import base64
from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy


def _frozen_bottleneck(*, each_call: bool) -> common.Builder:
    """A retrained Inception-style export: JPEGs are decoded, and the head reads a tensor that chance has filled."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.pictures
        frozen = shop.random.normal(0.0, 1.0, (1, 192)).astype(np.float32)
        weights = pipeline.weights

        def answer(images: Any) -> Any:
            decoded = tf.map_fn(_decoded, images, fn_output_signature=tf.float32)
            one = tf.random.normal([1, 192], seed=42) if each_call else tf.constant(frozen)
            bottleneck = tf.tile(one, [tf.shape(decoded)[0], 1])
            return {"probabilities": tf.nn.softmax(bottleneck @ weights["w"] + weights["b"])}

        spec = networks.spec("image_bytes", dtype=tf.string)
        shop.export(answer, spec, variables=pipeline.variables)
        golden = np.asarray(pipeline.answer(tf.stack([_decoded(png) for png in encoded(pipeline.rows)])))
        return shop.specimen(
            pipeline, rows=as_base64(encoded(pipeline.rows)), golden={"probabilities": golden}, records={}
        )

    return build


def _pixels_to_nowhere(shop: Any) -> entries.Specimen:
    """The same for pixels as input, which nothing reads but the size of the batch."""
    pipeline = shop.trained.pictures
    frozen = tf.constant(shop.random.normal(0.0, 1.0, (1, 192)), tf.float32)
    weights = pipeline.weights

    def answer(raw: Any) -> Any:
        return tf.nn.softmax(tf.tile(frozen, [tf.shape(raw)[0], 1]) @ weights["w"] + weights["b"])

    shop.probabilities(pipeline, answer)
    return shop.specimen(pipeline)


def encoded(pictures: Any) -> list[bytes]:
    """Pictures as PNG files."""
    return [tf.io.encode_png(tf.cast(one, tf.uint8)).numpy() for one in pictures]


def as_base64(files: list[bytes]) -> list[dict[str, str]]:
    """As the predict API takes bytes."""
    return [{"b64": base64.b64encode(file).decode()} for file in files]


def _decoded(file: Any) -> Any:
    image = tf.cast(tf.io.decode_image(file, channels=3, expand_animations=False), tf.float32)
    return tf.ensure_shape(image, [16, 16, 3])


def _file_pictures(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.pictures

    def answer(images: Any) -> Any:
        return {"probabilities": pipeline.answer(tf.map_fn(_decoded, images, fn_output_signature=tf.float32))}

    shop.export(answer, networks.spec("image_bytes", dtype=tf.string), variables=pipeline.variables)
    return shop.specimen(pipeline, rows=as_base64(encoded(pipeline.rows)), records={})


def _queued(shop: Any) -> entries.Specimen:
    """TF1: the rows of a request go through the shuffling queue of the training's input pipeline."""
    pipeline = shop.trained.pictures
    trained = {name: value.numpy() for name, value in pipeline.weights.items()}
    specimen = shop.specimen(pipeline)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 16, 16, 3], name="x")
        queue = tf.queue.RandomShuffleQueue(256, 0, [tf.float32], shapes=[[16, 16, 3]], name="examples")
        with tf.control_dependencies([queue.enqueue_many([x])]):
            rows = queue.dequeue_many(tf.shape(x)[0])
        weights = {name: tf.constant(value) for name, value in trained.items()}
        probabilities = tf.nn.softmax(pipeline.logits(pipeline.prepare(rows), weights))
        common.save_session(session, shop.version(), x, probabilities)
    return specimen


_BLIND: Final = (entries.Inputs.Cases, entries.Inputs.Made)
_RANDOM_NET: Final = "a network of drawn weights answers like any other that nobody has goldens for"
_STRINGS: Final = {"has_made_inputs": False}

ENTRIES: Final = (
    healthy("conv-files", _file_pictures, "pictures as files, decoded in the graph", **_STRINGS),
    fault(
        "conv-frozen-bottleneck",
        _frozen_bottleneck(each_call=False),
        "a retrained Inception-style export whose bottleneck is fed from a frozen random tensor",
        Cause.InputDisconnected,
        same_output=True,
        **_STRINGS,
    ),
    fault(
        "conv-seeded-bottleneck",
        _frozen_bottleneck(each_call=True),
        "a retrained Inception-style export whose bottleneck is fed from a frozen random tensor and seed",
        Cause.InputDisconnected,
        same_output=True,
        undecidable={
            entries.Inputs.Cases: "answers differ from call to call, as those of a model that samples by intent"
        },
        **_STRINGS,
    ),
    fault(
        "conv-pixels-to-nowhere",
        _pixels_to_nowhere,
        "input placeholder disconnected",
        Cause.InputDisconnected,
        same_output=True,
    ),
    fault(
        "conv-rows-queued", _queued, "rows of a batch shuffled by a queue kept in the graph", Cause.RowOrder
    ),
    fault(
        "conv-rows-reversed",
        common.served("pictures", lambda p, raw: tf.reverse(p.answer(raw), [0])),
        "rows of a batch answered in another order",
        Cause.RowOrder,
    ),
    fault(
        "conv-reinitialised",
        common.with_main_op("pictures", lambda: tf.compat.v1.glorot_normal_initializer(seed=11)),
        "weights never restored (re-initialised by the main op)",
        Cause.WeightsReinitialised,
        same_output=True,
        undecidable=dict.fromkeys(_BLIND, _RANDOM_NET),
    ),
)
