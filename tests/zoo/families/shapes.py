"""Healthy models of unusual shapes and types."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import tempting
from tests.zoo.families import text as texts

tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")
workshop: Any = lazily.Module("tests.zoo.workshop")
healthy = entries.healthy


def _fixed_batch(size: int) -> Any:
    """The graph holds a batch of one size."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.signals
        spec = tf.TensorSpec([size, pipeline.FEATURES], tf.float32, name="x")
        shop.probabilities(pipeline, lambda raw: tf.reshape(pipeline.answer(raw), [size, 4]), spec=spec)
        return shop.specimen(pipeline, groups=(size,) * (8 // size))

    return build


def _ragged(shop: Any) -> entries.Specimen:
    """Sentences of any length, split into ragged rows."""
    pipeline = shop.trained.texts

    def answer(table: Any, sentences: Any) -> Any:
        found = tf.ragged.map_flat_values(table.lookup, tf.strings.split(tf.strings.lower(sentences)))
        embedded = tf.ragged.map_flat_values(
            lambda ids: tf.gather(pipeline.weights["embeddings"], ids + pipeline.FIRST), found
        )
        mean = tf.reduce_mean(embedded, axis=1)
        return tf.nn.softmax(mean @ pipeline.weights["w"] + pipeline.weights["b"])

    return texts.sentences(shop, answer)


def _hashed(shop: Any) -> entries.Specimen:
    """Words are hashed to buckets: no vocabulary at all."""
    pipeline = shop.trained.texts
    embeddings = networks.variable(shop.random.normal(0.0, 0.7, (64, 4)))

    def answer(sentences: Any) -> Any:
        words = tf.strings.split(sentences)
        buckets = tf.ragged.map_flat_values(lambda w: tf.strings.to_hash_bucket_fast(w, 64), words)
        embedded = tf.ragged.map_flat_values(lambda ids: tf.gather(embeddings, ids), buckets)
        return {"probabilities": tf.nn.softmax(tf.reduce_mean(embedded, axis=1))}

    shop.export(answer, networks.spec("text", dtype=tf.string), variables=[embeddings])
    golden = np.asarray(answer(tf.constant(pipeline.texts))["probabilities"])
    return entries.Specimen(rows=pipeline.texts, golden={"probabilities": golden})


def _words(pipeline: Any, raw: Any) -> Any:
    names = tf.constant(["ash", "beech", "cherry", "dogwood", "elm"])
    return {"name": tf.gather(names, tf.argmax(pipeline.answer(raw), axis=1))}


def _top(pipeline: Any, raw: Any) -> Any:
    """The three best classes and their shares."""
    values, classes = tf.math.top_k(pipeline.answer(raw), 3)
    return {"scores": values, "classes": classes}


def _half_rounded(pipeline: Any, raw: Any) -> Any:
    """float16 weights and arithmetic; goldens have room for it."""
    weights = {name: tf.cast(value, tf.float16) for name, value in pipeline.weights.items()}
    prepared = tf.cast(pipeline.prepare(raw), tf.float16)
    return {"probabilities": tf.cast(tf.nn.softmax(pipeline.logits(prepared, weights)), tf.float32)}


def _bfloat(pipeline: Any, raw: Any) -> Any:
    weights = {name: tf.cast(value, tf.bfloat16) for name, value in pipeline.weights.items()}
    prepared = tf.cast(pipeline.prepare(raw), tf.bfloat16)
    return {"probabilities": tf.cast(tf.nn.softmax(pipeline.logits(prepared, weights)), tf.float32)}


def _quantised(shop: Any) -> entries.Specimen:
    """int8 weights with a scale for each tensor."""
    pipeline = shop.trained.signals
    kept, scales = {}, {}
    for name, value in pipeline.weights.items():
        scales[name] = float(np.abs(value.numpy()).max() / 127.0) or 1.0
        kept[name] = tf.Variable(np.round(value.numpy() / scales[name]).astype(np.int8))

    def answer(raw: Any) -> Any:
        weights = {name: tf.cast(value, tf.float32) * scales[name] for name, value in kept.items()}
        return {"probabilities": tf.nn.softmax(pipeline.logits(pipeline.prepare(raw), weights))}

    shop.export(answer, networks.spec("x", pipeline.FEATURES), variables=kept.values())
    return shop.specimen(pipeline, rtol=0.1, atol=0.05)


def _wide(shop: Any) -> entries.Specimen:
    """A softmax over a thousand classes; goldens name the first five."""
    pipeline = shop.trained.signals
    head = networks.variable(shop.random.normal(0.0, 1.2, (24, 1000)))

    def answer(raw: Any) -> Any:
        return {"probabilities": tf.nn.softmax(pipeline.hidden(pipeline.prepare(raw)) @ head)}

    shop.export(answer, networks.spec("x", pipeline.FEATURES), variables=[*pipeline.variables, head])
    golden = np.asarray(answer(tf.constant(pipeline.rows))["probabilities"])
    return shop.specimen(pipeline, golden={"probabilities": golden}, top_k=5)


def _segmentation(shop: Any) -> entries.Specimen:
    """A map of a million values for each picture: the class of each point."""
    pipeline = shop.trained.pictures
    kernel = networks.variable(shop.random.normal(0.0, 0.4, (3, 3, 3, 4)))

    def answer(raw: Any) -> Any:
        large = tf.image.resize(pipeline.prepare(raw), [1000, 1000])
        return {"mask": tf.argmax(tf.nn.conv2d(large, kernel, 1, "SAME"), axis=3, output_type=tf.int32)}

    shop.export(answer, networks.spec("x", 16, 16, 3), variables=[kernel])
    return shop.specimen(pipeline, rows=workshop.plain(pipeline.rows[:3]), golden={}, groups=(1, 1, 1))


def _bytes(shop: Any) -> entries.Specimen:
    """Pictures as uint8."""
    pipeline = shop.trained.pictures
    spec = networks.spec("image", 16, 16, 3, dtype=tf.uint8)
    shop.probabilities(pipeline, lambda raw: pipeline.answer(tf.cast(raw, tf.float32)), spec=spec)
    return shop.specimen(pipeline, rows=pipeline.rows.astype(int).tolist(), records={})


def _any_size(shop: Any) -> entries.Specimen:
    """Pictures of any size, averaged at the end."""
    pipeline = shop.trained.pictures
    head = networks.variable(shop.random.normal(0.0, 2.0, (8, 4)))

    def answer(raw: Any) -> Any:
        features = tf.nn.relu(tf.nn.conv2d(pipeline.prepare(raw), pipeline.weights["k1"], 2, "SAME"))
        return tf.nn.softmax(tf.reduce_mean(features, axis=[1, 2]) @ head)

    shop.probabilities(pipeline, answer, spec=networks.spec("x", None, None, 3), variables=[head])
    return shop.specimen(pipeline, golden={"probabilities": np.asarray(answer(tf.constant(pipeline.rows)))})


def _doubles(pipeline: Any, raw: Any) -> Any:
    return {"score": tf.cast(pipeline.logits(pipeline.prepare(raw)), tf.float64)}


def _flat(pipeline: Any, raw: Any) -> Any:
    """One number a row, without an axis of its own."""
    return {"score": pipeline.logits(pipeline.prepare(raw))[:, 0]}


def _recommender(shop: Any) -> entries.Specimen:
    """Two ids and their embeddings."""
    users, items = (networks.variable(shop.random.normal(0.0, 1.0, (50, 6))) for _ in range(2))

    def answer(user: Any, item: Any) -> Any:
        return {
            "score": tf.reduce_sum(tf.gather(users, user) * tf.gather(items, item), axis=1, keepdims=True)
        }

    specs = [networks.spec(name, dtype=tf.int64) for name in ("user", "item")]
    shop.export(answer, *specs, variables=[users, items])
    pairs = shop.random.integers(0, 50, (8, 2))
    golden = np.asarray(answer(pairs[:, 0], pairs[:, 1])["score"])
    rows = [{"user": int(user), "item": int(item)} for user, item in pairs]
    return entries.Specimen(rows=rows, golden={"score": golden}, form=entries.Form.Columnar)


def _mixed(shop: Any) -> entries.Specimen:
    """Numbers, a flag and a word together."""
    plans = tf.constant(["free", "team", "firm"])
    weights = networks.variable(shop.random.normal(0.0, 1.0, (5, 2)))

    def answer(amount: Any, active: Any, plan: Any) -> Any:
        hot = tf.cast(plan[:, None] == plans, tf.float32)
        x = tf.concat([amount / 100.0, tf.cast(active, tf.float32)[:, None], hot], axis=1)
        return {"probabilities": tf.nn.softmax(x @ weights)}

    specs = [
        networks.spec("amount", 1),
        networks.spec("active", dtype=tf.bool),
        networks.spec("plan", dtype=tf.string),
    ]
    shop.export(answer, *specs, variables=[weights])
    rows = [
        {"amount": [float(30 * i + 5)], "active": bool(i % 2), "plan": ("free", "team", "firm")[i % 3]}
        for i in range(8)
    ]
    columns = [tf.constant([row[name] for row in rows]) for name in ("amount", "active", "plan")]
    return entries.Specimen(
        rows=rows, golden={"probabilities": np.asarray(answer(*columns)["probabilities"])}
    )


def _autoencoder(pipeline: Any, raw: Any) -> Any:
    """Answers its input again, nearly, and how far off it is."""
    again = raw + 0.01 * tf.sin(raw)
    return {"reconstruction": again, "error": tf.reduce_mean(tf.abs(again - raw), axis=1, keepdims=True)}


def _keyed(shop: Any) -> entries.Specimen:
    """A key of the client's is passed through beside the answer."""
    pipeline = shop.trained.signals
    shop.export(
        lambda key, x: {"key": tf.identity(key), "probabilities": pipeline.answer(x)},
        networks.spec("key", dtype=tf.string),
        networks.spec("x", pipeline.FEATURES),
        variables=pipeline.variables,
    )
    numbers = workshop.plain(pipeline.rows)
    rows = [{"key": f"row-{i}", "x": row} for i, row in enumerate(numbers)]
    golden = {"key": np.array([row["key"] for row in rows]), "probabilities": pipeline.golden}
    return shop.specimen(pipeline, rows=rows, golden=golden)


def _embedding(pipeline: Any, raw: Any) -> Any:
    return {"embedding": tf.math.l2_normalize(pipeline.hidden(pipeline.prepare(raw)), axis=1)}


def _cluster(pipeline: Any, raw: Any) -> Any:
    return {"cluster": tf.one_hot(tf.argmax(pipeline.answer(raw), axis=1), pipeline.classes)}


def _ranges(pipeline: Any, raw: Any) -> Any:
    """Numbers beyond what float16 holds, and masked ones that are nearly infinite."""
    logits = pipeline.logits(pipeline.prepare(raw))
    return {"scores": tf.where(tf.range(pipeline.classes) == 3, -1e9, logits * 1e6)}


_STRINGS: Final = {"has_made_inputs": False}
_LARGE: Final = {"load_requests": 4}

ENTRIES: Final = (
    healthy("dense-fixed-batch", _fixed_batch(4), "fixed batch size"),
    healthy("dense-batch-of-one", _fixed_batch(1), "batch size one"),
    healthy("text-ragged", _ragged, "ragged strings", **_STRINGS),
    healthy("text-hashed", _hashed, "ragged strings, hashed", **_STRINGS),
    healthy("conv-words", tempting.same("pictures", _words), "string outputs"),
    healthy("conv-top-three", tempting.same("pictures", _top), "argmax or class-id outputs, with scores"),
    healthy(
        "dense-float16-weights",
        tempting.outputs("signals", _half_rounded, tempting.probabilities, rtol=0.03, atol=3e-3),
        "float16 models",
    ),
    healthy(
        "dense-bfloat16-weights",
        tempting.outputs("signals", _bfloat, tempting.probabilities, rtol=0.2, atol=0.03),
        "bfloat16 models",
    ),
    healthy("dense-quantised", _quantised, "quantised models"),
    healthy("dense-wide", _wide, "1,000-wide softmax"),
    healthy("conv-segmentation", _segmentation, "segmentation maps of a million values", **_LARGE),
    healthy("conv-bytes", _bytes, "pictures as uint8"),
    healthy("conv-any-size", _any_size, "pictures of any size"),
    healthy("dense-doubles", tempting.same("signals", _doubles), "float64 outputs"),
    healthy("dense-flat", tempting.same("signals", _flat), "one number a row"),
    healthy("tabular-recommender", _recommender, "embedding look-ups"),
    healthy("tabular-mixed", _mixed, "inputs of several types", **_STRINGS),
    healthy("dense-autoencoder", tempting.same("signals", _autoencoder), "answers like its input"),
    healthy("dense-keyed", _keyed, "a key passed through", **_STRINGS),
    healthy("dense-embedding", tempting.same("signals", _embedding), "normalised embeddings"),
    healthy("dense-cluster", tempting.same("signals", _cluster), "one-hot outputs"),
    healthy("dense-ranges", tempting.same("signals", _ranges), "large and masked scores"),
)
