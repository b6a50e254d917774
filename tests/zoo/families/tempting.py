"""Healthy models whose answers tempt a tester: alike, tiny, random by intent, changing by intent."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common

tf: Any = lazily.Module("tensorflow")
keras: Any = lazily.Module("keras")
networks: Any = lazily.Module("tests.zoo.networks")
healthy = entries.healthy


def outputs(pipeline_name: str, answer: Any, golden: Any, **more: Any) -> common.Builder:
    """Export named outputs of a pipeline's records; goldens are those of `golden`, which may leave some out."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        spec = networks.spec("x", *pipeline.x.shape[1:], dtype=pipeline.x.dtype)
        shop.export(lambda raw: answer(pipeline, raw), spec, variables=pipeline.variables)
        expected = {
            name: np.asarray(value) for name, value in golden(pipeline, tf.constant(pipeline.rows)).items()
        }
        return shop.specimen(pipeline, **({"golden": expected} | more))

    return build


def same(pipeline_name: str, answer: Any, **more: Any) -> common.Builder:
    """The same, with goldens for every output."""
    return outputs(pipeline_name, answer, answer, **more)


def _class_id(pipeline: Any, raw: Any) -> Any:
    return {"class": tf.argmax(pipeline.answer(raw), axis=1)}


def _auxiliary(pipeline: Any, raw: Any) -> Any:
    """A second head that is the same for everything, such as the model's threshold."""
    return {"probabilities": pipeline.answer(raw), "threshold": tf.fill([tf.shape(raw)[0], 1], 0.35)}


def _rare(pipeline: Any, raw: Any) -> Any:
    """The share of one class, under a prior of one in ten thousand: no, unless the evidence is overwhelming."""
    logits = pipeline.logits(pipeline.prepare(raw))
    return {"fraud": tf.sigmoid(4.0 * (logits[:, 1] - tf.reduce_max(logits[:, 2:], axis=1)) - 9.0)[:, None]}


def _rare_yes_no(pipeline: Any, raw: Any) -> Any:
    return {"alarm": tf.cast(_rare(pipeline, raw)["fraud"] > 0.99, tf.int32)}


def _tiny(pipeline: Any, raw: Any) -> Any:
    return {"density": 1e-9 * pipeline.answer(raw)}


def _narrow(pipeline: Any, raw: Any) -> Any:
    """A price that hardly moves: 1000 and some cents."""
    return {"price": 1000.0 + 0.5 * pipeline.answer(raw)[:, :1]}


def _sure(pipeline: Any, raw: Any) -> Any:
    """Answers that are right and saturate: 0 and 1 to the last digit."""
    return {"probabilities": tf.nn.softmax(400.0 * pipeline.logits(pipeline.prepare(raw)))}


def _sampling(pipeline: Any, raw: Any) -> Any:
    """Draws a class beside the probabilities that it draws from."""
    logits = pipeline.logits(pipeline.prepare(raw))
    return {"probabilities": tf.nn.softmax(logits), "sample": tf.random.categorical(logits, 1)}


def probabilities(pipeline: Any, raw: Any) -> Any:
    return {"probabilities": pipeline.answer(raw)}


def _counting(shop: Any) -> entries.Specimen:
    """Counts its requests for monitoring, and says so in an output of its own."""
    pipeline = shop.trained.signals
    calls = tf.Variable(np.int64(0), name="calls")

    def answer(raw: Any) -> Any:
        count = calls.assign_add(1)
        return {"probabilities": pipeline.answer(raw), "requests": tf.fill([tf.shape(raw)[0], 1], count)}

    shop.export(answer, networks.spec("x", pipeline.FEATURES), variables=[*pipeline.variables, calls])
    return shop.specimen(pipeline)


def _silently_counting(shop: Any) -> entries.Specimen:
    pipeline = shop.trained.pixels
    calls = tf.Variable(np.int64(0), name="calls")

    def answer(raw: Any) -> Any:
        with tf.control_dependencies([calls.assign_add(1)]):
            return tf.identity(pipeline.answer(raw))

    shop.probabilities(pipeline, answer, variables=[calls])
    return shop.specimen(pipeline)


def _bayesian(shop: Any) -> entries.Specimen:
    """Monte Carlo dropout by intent: the mean and deviation of many passes; goldens with room for chance."""
    pipeline, layer = shop.trained.signals, keras.layers.Dropout(0.1)

    def answer(raw: Any) -> Any:
        hidden = pipeline.hidden(pipeline.prepare(raw))
        many = tf.stack([layer(hidden, training=True) for _ in range(60)])
        passes = tf.nn.softmax(many @ pipeline.weights["w2"] + pipeline.weights["b2"])
        return {"mean": tf.reduce_mean(passes, axis=0), "deviation": tf.math.reduce_std(passes, axis=0)}

    shop.export(answer, networks.spec("x", pipeline.FEATURES), variables=[*pipeline.variables, layer])
    golden = np.mean([answer(tf.constant(pipeline.rows))["mean"].numpy() for _ in range(20)], axis=0)
    return shop.specimen(pipeline, golden={"mean": golden}, rtol=0.05, atol=0.15)


def _bayesian_unexpected(shop: Any) -> entries.Specimen:
    """A sampling generator: nobody can write goldens for it."""
    pipeline = shop.trained.signals

    def answer(raw: Any) -> Any:
        mean = pipeline.prepare(raw)
        return {"drawn": mean + tf.random.normal(tf.shape(mean))}

    shop.export(answer, networks.spec("x", pipeline.FEATURES), variables=pipeline.variables)
    return shop.specimen(pipeline, golden={})


def _served_at(pipeline: Any, raw: Any) -> Any:
    """Says when it answered, beside what."""
    now = tf.fill([tf.shape(raw)[0], 1], tf.cast(tf.timestamp(), tf.int64))
    return {"probabilities": pipeline.answer(raw), "served_at": now}


def _random_features(shop: Any) -> entries.Specimen:
    """Random Fourier features drawn from a fixed seed by a stateless op: chance in the graph, none in the answers."""
    pipeline = shop.trained.signals
    head = networks.variable(shop.random.normal(0.0, 0.6, (40, 4)))

    def answer(raw: Any) -> Any:
        directions = tf.random.stateless_normal([pipeline.FEATURES, 40], seed=[3, 5])
        return tf.nn.softmax(tf.cos(pipeline.prepare(raw) @ directions) @ head)

    shop.probabilities(pipeline, answer, variables=[head])
    return shop.specimen(pipeline, golden={"probabilities": np.asarray(answer(tf.constant(pipeline.rows)))})


def _constant_before(shop: Any) -> entries.Specimen:
    """The active version is constant too: a placeholder that a team put up, and the new one is another."""
    pipeline = shop.trained.signals
    for version, value in ((1, 0.2), (2, 0.3)):
        shop.export(
            lambda raw, value=value: {"share": tf.fill([tf.shape(raw)[0], 1], value)},
            networks.spec("x", pipeline.FEATURES),
            version=version,
        )
    return shop.specimen(pipeline, golden={"share": np.full((8, 1), 0.3)})


def _retrained(pipeline_name: str) -> common.Builder:
    """The new version rightly answers otherwise than the active one, and its goldens are its own."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        weights = common.retrained(pipeline)

        def answer(raw: Any) -> Any:
            return tf.nn.softmax(pipeline.logits(pipeline.prepare(raw), weights))

        shop.probabilities(pipeline, pipeline.answer, version=1)
        shop.probabilities(pipeline, answer, variables=weights.values())
        return shop.specimen(
            pipeline, golden={"probabilities": np.asarray(answer(tf.constant(pipeline.rows)))}
        )

    return build


def _again(shop: Any) -> entries.Specimen:
    """The same weights under a new number, rightly: only the server's settings changed."""
    pipeline = shop.trained.pixels
    for version in (1, 2):
        shop.probabilities(pipeline, pipeline.answer, version=version)
    return shop.specimen(pipeline)


def _tables_as_main_op(shop: Any) -> entries.Specimen:
    """TF1: main_op initialises look-up tables, as it should, and no variable."""
    pipeline = shop.trained.signals
    golden = pipeline.golden
    trained = {name: value.numpy() for name, value in pipeline.weights.items()}
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, pipeline.FEATURES], name="x")
        made = {
            name: v1.get_variable(name, initializer=value, use_resource=True)
            for name, value in trained.items()
        }
        pairs = tf.lookup.KeyValueTensorInitializer(
            tf.range(4, dtype=tf.int64), tf.constant(["a", "b", "c", "d"])
        )
        table = tf.lookup.StaticHashTable(pairs, "?")
        probabilities = tf.nn.softmax(pipeline.logits(pipeline.prepare(x), made))
        label = table.lookup(tf.argmax(probabilities, axis=1))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        signature = v1.saved_model.predict_signature_def(
            {"x": x}, {"probabilities": probabilities, "label": label}
        )
        builder = v1.saved_model.Builder(str(shop.version()))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=v1.tables_initializer()
        )
        builder.save()
    return shop.specimen(pipeline, golden={"probabilities": golden})


def _augmentation_off(shop: Any) -> entries.Specimen:
    """Augmentation and dropout are in the graph, in inference mode."""
    pipeline = shop.trained.pictures
    flip, noise = keras.layers.RandomFlip(seed=3), keras.layers.GaussianNoise(0.2)

    def answer(raw: Any) -> Any:
        return pipeline.answer(noise(flip(raw, training=False), training=False))

    shop.probabilities(pipeline, answer, variables=[flip, noise])
    return shop.specimen(pipeline)


ENTRIES: Final = (
    healthy("dense-class-id", same("signals", _class_id), "argmax or class-id outputs"),
    healthy("conv-class-id", same("pictures", _class_id), "argmax or class-id outputs"),
    healthy("dense-auxiliary-head", same("signals", _auxiliary), "a constant auxiliary head"),
    healthy("dense-rare-event", same("signals", _rare), "a rare-event classifier that says no to noise"),
    healthy("conv-rare-event", same("pictures", _rare), "a rare-event classifier that says no to noise"),
    healthy(
        "dense-rare-alarm", same("signals", _rare_yes_no), "a rare-event classifier that says no to noise"
    ),
    healthy("dense-tiny", same("signals", _tiny, atol=1e-13), "tiny output ranges"),
    healthy("dense-narrow", same("pixels", _narrow), "tiny output ranges"),
    healthy("dense-sure", same("signals", _sure), "saturating but right outputs"),
    healthy("conv-sure", same("pictures", _sure), "saturating but right outputs"),
    healthy("dense-sampling", outputs("signals", _sampling, probabilities), "sampling by intent"),
    healthy("dense-generator", _bayesian_unexpected, "sampling by intent"),
    healthy("dense-bayesian", _bayesian, "dropout by intent (Bayesian)"),
    healthy("dense-counting", _counting, "stateful counters"),
    healthy("dense-silently-counting", _silently_counting, "stateful counters"),
    healthy("dense-served-at", outputs("signals", _served_at, probabilities), "the clock by intent"),
    healthy("dense-random-features", _random_features, "seeded chance that is a constant"),
    healthy(
        "dense-constant-before",
        _constant_before,
        "models whose previous version is constant too",
        has_previous=True,
    ),
    healthy(
        "dense-retrained",
        _retrained("signals"),
        "a model that rightly changes its answers after retraining with updated goldens",
        has_previous=True,
    ),
    healthy(
        "conv-retrained",
        _retrained("pictures"),
        "a model that rightly changes its answers after retraining with updated goldens",
        has_previous=True,
    ),
    healthy(
        "dense-again", _again, "the active version's weights under a new number, as meant", has_previous=True
    ),
    healthy("dense-tables-main-op", _tables_as_main_op, "a main op that initialises tables"),
    healthy("conv-augmentation-off", _augmentation_off, "augmentation layers in inference mode"),
)
