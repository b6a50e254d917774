"""Builders that several architectures share."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.zoo import entries, lazily

tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")

Builder = Callable[[Any], entries.Specimen]
Answer = Callable[[Any, Any], Any]
"""From a pipeline and a batch of raw records to probabilities."""


def served(pipeline_name: str, answer: Answer | None = None, **specimen: Any) -> Builder:
    """Export a pipeline with another way from raw records to probabilities."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        chosen = answer or (lambda p, raw: p.answer(raw))
        shop.probabilities(pipeline, lambda raw: chosen(pipeline, raw))
        return shop.specimen(pipeline, **specimen)

    return build


def with_logits(pipeline_name: str, logits: Answer, **specimen: Any) -> Builder:
    """The same for other logits."""
    return served(pipeline_name, lambda p, raw: tf.nn.softmax(logits(p, raw)), **specimen)


def with_weights(
    pipeline_name: str, change: Callable[[Any], Mapping[str, np.ndarray[Any, Any]]], **specimen: Any
) -> Builder:
    """Export a pipeline with some of its weights replaced."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        changed = {name: networks.variable(values) for name, values in change(pipeline).items()}
        weights = pipeline.weights | changed
        shop.probabilities(
            pipeline,
            lambda raw: tf.nn.softmax(pipeline.logits(pipeline.prepare(raw), weights)),
            variables=list(changed.values()),
        )
        return shop.specimen(pipeline, **specimen)

    return build


def with_layer(
    pipeline_name: str, make: Callable[[], Any], answer: Callable[[Any, Any, Any], Any]
) -> Builder:
    """Export a pipeline with a keras layer of its own, which is handed to `answer` beside pipeline and records."""

    def build(shop: Any) -> entries.Specimen:
        pipeline, layer = getattr(shop.trained, pipeline_name), make()
        shop.probabilities(pipeline, lambda raw: answer(pipeline, layer, raw), variables=[layer])
        return shop.specimen(pipeline)

    return build


def with_main_op(pipeline_name: str, draw: Callable[[], Any]) -> Builder:
    """TF1: an initialiser runs as main_op after the weights were restored, and draws them anew."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        pipeline.golden  # noqa: B018 - while execution is eager
        trained = {name: value.numpy() for name, value in pipeline.weights.items()}
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, *pipeline.x.shape[1:]], name="x")
            made = {
                name: v1.get_variable(name, value.shape, initializer=draw(), use_resource=True)
                for name, value in trained.items()
            }
            probabilities = tf.nn.softmax(pipeline.logits(pipeline.prepare(x), made))
            initialiser = v1.global_variables_initializer()
            session.run(initialiser)
            for name, value in trained.items():
                made[name].load(value, session)
            save_session(session, shop.version(), x, probabilities, main_op=initialiser)
        return shop.specimen(pipeline)

    return build


def save_session(session: Any, folder: Any, x: Any, probabilities: Any, **more: Any) -> None:
    """Write a graph of TensorFlow 1 as a SavedModel."""
    v1 = tf.compat.v1
    signature = v1.saved_model.predict_signature_def({"x": x}, {"probabilities": probabilities})
    builder = v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, **more)
    builder.save()


def other_labels(pipeline_name: str) -> Builder:
    """The classes come in another order than in training: the first goes to the end."""
    return served(pipeline_name, lambda p, raw: tf.roll(p.answer(raw), shift=-1, axis=1))


def over_the_batch(pipeline_name: str) -> Builder:
    """Softmax over the batch rather than over the classes."""
    return served(pipeline_name, lambda p, raw: tf.nn.softmax(p.logits(p.prepare(raw)), axis=0))


def disconnected(pipeline_name: str) -> Builder:
    """An example was traced into the graph instead of the input."""

    def answer(pipeline: Any, raw: Any) -> Any:
        repeats = [tf.shape(raw)[0], *(1 for _ in pipeline.train_x.shape[1:])]
        return pipeline.answer(tf.tile(tf.constant(pipeline.train_x[:1]), repeats))

    return served(pipeline_name, answer)


def broken_bias(pipeline_name: str, bias: str, value: float) -> Builder:
    """One bias of the last layer is NaN or infinite."""
    return with_weights(
        pipeline_name, lambda p: {bias: np.where(np.arange(p.classes) == 1, value, p.weights[bias].numpy())}
    )


def stale_weights(pipeline_name: str) -> Builder:
    """The new version was trained further, but the folder holds the weights of the active one."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        for version in (1, 2):
            shop.probabilities(pipeline, pipeline.answer, version=version)
        better = retrained(pipeline)
        golden = np.asarray(tf.nn.softmax(pipeline.logits(pipeline.prepare(pipeline.rows), better)))
        return shop.specimen(pipeline, golden={"probabilities": golden})

    return build


def retrained(pipeline: Any) -> dict[str, Any]:
    """Weights after some more steps on half of the data."""
    weights = {name: networks.variable(value.numpy()) for name, value in pipeline.weights.items()}
    half = len(pipeline.train_x) // 2
    prepared = tf.constant(pipeline.prepare(pipeline.train_x[:half]))
    networks.fit(
        list(weights.values()),
        lambda: networks.cross_entropy(pipeline.logits(prepared, weights), pipeline.train_y[:half], 0.2),
        steps=40,
        rate=0.03,
    )
    return weights


def under_load(pipeline_name: str) -> Builder:
    """The call keeps its input in a variable that all calls share, and reads it back after some work."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        shape = pipeline.x.shape[1:]
        shared = tf.Variable(tf.zeros([1, *shape]), shape=tf.TensorShape([None, *shape]), trainable=False)
        work = networks.variable(np.eye(400))

        def answer(raw: Any) -> Any:
            with tf.control_dependencies([shared.assign(raw)]):
                product = work + 0.0 * tf.reduce_sum(raw)
                for _ in range(6):
                    product = tf.matmul(product, work)
            with tf.control_dependencies([product]):
                kept = shared.read_value()
            # A call of another size may have come between: never fail, only be wrong.
            kept = tf.cond(tf.shape(kept)[0] == tf.shape(raw)[0], lambda: kept, lambda: tf.roll(raw, 1, 0))
            return pipeline.answer(kept) + 0.0 * product[0, 0]

        shop.probabilities(pipeline, answer, variables=[shared, work])
        return shop.specimen(pipeline)

    return build


def drifting(pipeline_name: str) -> Builder:
    """Each call counts itself, and the count goes into the answer."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        calls = networks.variable(0.0, "calls")

        def answer(raw: Any) -> Any:
            count = calls.assign_add(1.0)
            logits = pipeline.logits(pipeline.prepare(raw))
            return tf.nn.softmax(logits + 0.05 * count * tf.one_hot(0, pipeline.classes))

        shop.probabilities(pipeline, answer, variables=[calls])
        return shop.specimen(pipeline)

    return build
