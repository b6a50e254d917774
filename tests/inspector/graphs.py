"""Exports one small SavedModel for each thing that a graph can show; run in a process of its own: graphs.py FOLDER."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
L = keras.layers
Build = Callable[[Path], None]
BUILDS: dict[str, Build] = {}
WORDS = ["[UNK]", "the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far"]


def build(make: Build) -> Build:
    BUILDS[make.__name__] = make
    return make


def image_spec(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec([None, *(shape or (8, 8, 3))], tf.float32, name="image")


def export(folder: Path, serve: Callable[..., Any], *specs: tf.TensorSpec, **tracked: Any) -> None:
    module = tf.Module()
    module.tracked = tracked
    module.serve = tf.function(serve, input_signature=list(specs))
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def classifier(*front: Any, training: bool | None = None) -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3), name="image")
    x = image
    for layer in front:
        x = layer(x, training=training)
    x = L.Conv2D(4, 3, activation="relu")(x)
    x = L.BatchNormalization()(x)
    x = L.LayerNormalization()(x)
    x = L.GlobalAveragePooling2D()(x)
    x = L.Dropout(0.5)(x)
    return keras.Model(image, L.Dense(3, activation="softmax", name="probabilities")(x))


def export_keras(model: keras.Model, folder: Path, *, training: bool = False) -> None:
    if not training:
        model.export(str(folder), verbose=False)
        return
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [tf.TensorSpec(i.shape, i.dtype, name=i.name) for i in model.inputs]
    archive.add_endpoint("serve", lambda *x: model(list(x), training=True), input_signature=specs)
    archive.write_out(str(folder), verbose=False)


@build
def healthy_conv(folder: Path) -> None:
    export_keras(classifier(L.RandomFlip(), L.RandomRotation(0.1), L.GaussianNoise(0.1)), folder)


@build
def training_conv(folder: Path) -> None:
    export_keras(classifier(), folder, training=True)


@build
def batch_norm_training(folder: Path) -> None:
    x = image = keras.Input((8, 8, 3), name="image")
    x = L.BatchNormalization()(L.Conv2D(4, 3)(x), training=True)
    export_keras(keras.Model(image, L.Dense(3)(L.Flatten()(x))), folder)


@build
def batch_norm_training_dense(folder: Path) -> None:
    x = features = keras.Input((6,), name="features")
    x = L.BatchNormalization()(L.Dense(4)(x), training=True)
    export_keras(keras.Model(features, L.Dense(3)(x)), folder)


@build
def dropout_active(folder: Path) -> None:
    x = features = keras.Input((6,), name="features")
    x = L.Dropout(0.5)(L.Dense(4)(x), training=True)
    export_keras(keras.Model(features, L.Dense(3)(x)), folder)


@build
def dropout_of_weights(folder: Path) -> None:
    """A table of embeddings of which some values are dropped."""
    table = tf.Variable(tf.random.normal([20, 4], seed=1))

    def serve(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.gather(tf.nn.dropout(table, 0.5), ids)}

    export(folder, serve, tf.TensorSpec([None], tf.int64, name="ids"), table=table)


@build
def layer_norm_fused(folder: Path) -> None:
    """As Keras 2 exported layer normalisation: by the op of batch normalisation, over rows."""
    scale = tf.Variable(tf.ones([6]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.shape(x)[0]
        turned = tf.reshape(x, [1, rows, 6, 1])
        ones, zeros = tf.ones([rows]), tf.zeros([rows])
        normed = v1.nn.fused_batch_norm(turned, ones, zeros, data_format="NCHW")[0]
        return {"y": tf.reshape(normed, [rows, 6]) * scale}

    export(folder, serve, tf.TensorSpec([None, 6], tf.float32, name="x"), scale=scale)


def augmented(folder: Path, layer: Any) -> None:
    export_keras(classifier(layer, training=True), folder)


for _name, _layer in {
    "flip": L.RandomFlip,
    "rotation": lambda: L.RandomRotation(0.2),
    "crop": lambda: L.RandomCrop(6, 6),
    "noise": lambda: L.GaussianNoise(0.3),
    "brightness": lambda: L.RandomBrightness(0.3),
    "contrast": lambda: L.RandomContrast(0.3),
    "zoom": lambda: L.RandomZoom(0.3),
}.items():
    BUILDS[f"augmented_{_name}"] = lambda folder, layer=_layer: augmented(folder, layer())


@build
def recurrent(folder: Path) -> None:
    x = ids = keras.Input((None,), dtype="int32", name="ids")
    x = L.Embedding(50, 8, mask_zero=True)(x)
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(x)
    x = L.GRU(4)(x)
    export_keras(keras.Model(ids, L.Dense(2)(x)), folder)


@build
def transformer(folder: Path) -> None:
    ids = keras.Input((12,), dtype="int32", name="input_ids")
    mask = keras.Input((12,), dtype="int32", name="attention_mask")
    x = L.Embedding(40, 8)(ids)
    attention = L.MultiHeadAttention(2, 4, dropout=0.1)
    x = L.LayerNormalization()(x + attention(x, x, attention_mask=mask[:, None, :] > 0))
    export_keras(keras.Model([ids, mask], L.Dense(2)(x[:, 0])), folder)


@build
def text(folder: Path) -> None:
    vectorise = L.TextVectorization(vocabulary=WORDS[1:], output_sequence_length=6)
    x = words = keras.Input((), dtype="string", name="text")
    x = L.GlobalAveragePooling1D()(L.Embedding(20, 4)(vectorise(x)))
    export_keras(keras.Model(words, L.Dense(2)(x)), folder)


@build
def vocabulary_file(folder: Path) -> None:
    file = folder.parent / "words.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(WORDS) + "\n")
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(file),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        0,
    )
    weights = tf.Variable(tf.random.normal([10, 3], seed=1))

    def serve(word: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.gather(weights, table.lookup(word))}

    export(folder, serve, tf.TensorSpec([None], tf.string, name="word"), table=table, weights=weights)


@build
def parsed(folder: Path) -> None:
    weights = tf.Variable(tf.ones([6, 1]))

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(
            examples,
            {
                "age": tf.io.FixedLenFeature([1], tf.float32),
                "pixels": tf.io.FixedLenFeature([2, 2], tf.float32),
                "visits": tf.io.FixedLenFeature([], tf.int64, default_value=3),
                "country": tf.io.VarLenFeature(tf.string),
                "tags": tf.io.RaggedFeature(tf.int64),
            },
        )
        pixels = tf.reshape(found["pixels"], [-1, 4])
        visits = tf.cast(found["visits"], tf.float32)[:, None]
        x = tf.concat([found["age"], pixels, visits], 1)
        tags = tf.cast(tf.reduce_sum(found["tags"], 1), tf.float32)[:, None]
        countries = tf.strings.length(tf.sparse.to_dense(found["country"]))
        return {"y": x @ weights + tags + tf.reduce_sum(tf.cast(countries, tf.float32))}

    export(folder, serve, tf.TensorSpec([None], tf.string, name="examples"), weights=weights)


@build
def parsed_v1(folder: Path) -> None:
    """ParseExample of TensorFlow 1, which lists its keys as inputs."""
    weights = tf.Variable(tf.ones([4, 1]))

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.raw_ops.ParseExample(
            serialized=examples,
            names=tf.constant([], tf.string),
            sparse_keys=["country"],
            dense_keys=["age", "pixels", "visits"],
            dense_defaults=[
                tf.constant([], tf.float32),
                tf.constant([], tf.float32),
                tf.constant(3, tf.int64),
            ],
            sparse_types=[tf.string],
            dense_shapes=[[1], [2, 2], []],
        )
        age, pixels, visits = found.dense_values
        visits = tf.cast(visits, tf.float32)[:, None]
        return {"y": age + tf.reshape(pixels, [-1, 4]) @ weights + visits}

    export(folder, serve, tf.TensorSpec([None], tf.string, name="examples"), weights=weights)


@build
def parsed_single(folder: Path) -> None:
    """ParseSingleExample, mapped over the batch; its keys are attributes."""

    def parse(example: tf.Tensor) -> tf.Tensor:
        found = tf.raw_ops.ParseSingleExample(
            serialized=example,
            dense_defaults=[
                tf.constant([], tf.float32),
                tf.constant([], tf.float32),
                tf.constant(3, tf.int64),
            ],
            num_sparse=1,
            sparse_keys=["country"],
            dense_keys=["age", "pixels", "visits"],
            sparse_types=[tf.string],
            dense_shapes=[[1], [2, 2], []],
        )
        age, pixels, visits = found.dense_values
        return age + tf.reduce_sum(pixels) + tf.cast(visits, tf.float32)

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.map_fn(parse, examples, fn_output_signature=tf.TensorSpec([1]))}

    export(folder, serve, tf.TensorSpec([None], tf.string, name="examples"))


@build
def narrow(folder: Path) -> None:
    """Pixels and sound as narrow integers, a switch, and a batch of a fixed size."""

    def serve(pixels: tf.Tensor, sound: tf.Tensor, loud: tf.Tensor) -> dict[str, tf.Tensor]:
        heard = tf.reduce_mean(tf.cast(sound, tf.float32), 1) * tf.where(loud, 2.0, 1.0)
        return {"y": tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2, 3]) + heard}

    specs = (
        tf.TensorSpec([4, 8, 8, 3], tf.uint8, name="pixels"),
        tf.TensorSpec([None, 50], tf.int16, name="sound"),
        tf.TensorSpec([None], tf.bool, name="loud"),
    )
    export(folder, serve, *specs)


@build
def two_signatures(folder: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec([None, 2], tf.float32, name="x")
    module.serve = tf.function(lambda x: {"y": x * 2.0}, input_signature=[spec])
    module.other = tf.function(lambda x: {"y": tf.ones([tf.shape(x)[0]])}, input_signature=[spec])
    signatures = {"serving_default": module.serve, "other": module.other}
    tf.saved_model.save(module, str(folder), signatures=signatures)


@build
def encoded_image(folder: Path) -> None:
    weights = tf.Variable(tf.ones([3, 2]))

    def decode(content: tf.Tensor) -> tf.Tensor:
        image = tf.image.decode_jpeg(content, channels=3)
        return tf.image.resize(tf.cast(image, tf.float32), [8, 8])

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec([8, 8, 3]))
        return {"y": tf.reduce_mean(images, [1, 2]) @ weights}

    export(folder, serve, tf.TensorSpec([None], tf.string, name="image_bytes"), weights=weights)


@build
def disconnected(folder: Path) -> None:
    weights = tf.Variable(tf.random.normal([4, 3], seed=1))
    frozen = tf.constant(np.ones((1, 4), np.float32))

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.tile(tf.nn.softmax(frozen @ weights), [tf.shape(image)[0], 1])}

    export(folder, serve, image_spec(), weights=weights)


@build
def frozen_random(folder: Path) -> None:
    weights = tf.Variable(tf.random.normal([4, 3], seed=1))

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        bottleneck = tf.random.normal([tf.shape(image)[0], 4], seed=42)
        return {"y": tf.nn.softmax(bottleneck @ weights)}

    export(folder, serve, image_spec(), weights=weights)


@build
def constant(folder: Path) -> None:
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.tile(tf.constant([[0.2, 0.8]]), [tf.shape(image)[0], 1])}

    export(folder, serve, image_spec())


@build
def constant_head(folder: Path) -> None:
    def serve(image: tf.Tensor, unused: tf.Tensor) -> dict[str, tf.Tensor]:
        del unused
        return {"mean": tf.reduce_mean(image, [1, 2, 3]), "version": tf.constant([3.0])}

    export(folder, serve, image_spec(), tf.TensorSpec([None, 2], tf.float32, name="unused"))


@build
def clock(folder: Path) -> None:
    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x + tf.cast(tf.math.floormod(tf.timestamp(), 60.0), tf.float32)}

    export(folder, serve, tf.TensorSpec([None, 2], tf.float32, name="x"))


@build
def counting(folder: Path) -> None:
    count = tf.Variable(0.0)

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        count.assign_add(1.0)
        return {"y": x * 2.0}

    export(folder, serve, tf.TensorSpec([None, 2], tf.float32, name="x"), count=count)


@build
def through_a_variable(folder: Path) -> None:
    held = tf.Variable(tf.zeros([2]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        held.assign(tf.reduce_mean(x, 0))
        return {"y": held.read_value()[None] * tf.ones([tf.shape(x)[0], 1])}

    export(folder, serve, tf.TensorSpec([None, 2], tf.float32, name="x"), held=held)


@build
def through_control_flow(folder: Path) -> None:
    @tf.function
    def countdown(n: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return value if n <= 0 else value * 2.0

    def serve(x: tf.Tensor, steps: tf.Tensor, which: tf.Tensor) -> dict[str, tf.Tensor]:
        total = tf.zeros([1])
        i = tf.zeros([], tf.int32)
        while i < steps:
            total += 1.0
            i += 1
        branch = tf.switch_case(which, [lambda: x + 1.0, lambda: x * 3.0])
        if tf.reduce_sum(branch) > 100.0:
            branch *= 0.5
        return {"looped": total, "branched": countdown(steps, branch)}

    scalar = tf.TensorSpec([], tf.int32)
    specs = (tf.TensorSpec([None], tf.float32, name="x"), scalar, scalar)
    export(folder, serve, *specs)


@build
def integer_cast(folder: Path) -> None:
    weights = tf.Variable(tf.ones([4, 2]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.cast(tf.cast(x, tf.int32), tf.float32) @ weights}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"), weights=weights)


@build
def float_ids(folder: Path) -> None:
    x = ids = keras.Input((5,), name="ids")
    x = L.Flatten()(L.Embedding(30, 4)(x))
    export_keras(keras.Model(ids, L.Dense(2)(x)), folder)


@build
def float16(folder: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    model = classifier()
    keras.config.set_dtype_policy("float32")
    export_keras(model, folder)


@build
def quantised(folder: Path) -> None:
    x = features = keras.Input((6,), name="features")
    model = keras.Model(features, L.Dense(3)(L.Dense(4)(x)))
    model.quantize("int8")
    export_keras(model, folder)


@build
def fake_quantised(folder: Path) -> None:
    weights = tf.Variable(tf.ones([4, 2]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.quantization.fake_quant_with_min_max_args(x, -6, 6) @ weights}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"), weights=weights)


@build
def shuffled(folder: Path) -> None:
    weights = tf.Variable(tf.ones([4, 2]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.random.shuffle(x @ weights)}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"), weights=weights)


@build
def permuted(folder: Path) -> None:
    weights = tf.Variable(tf.ones([4, 2]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.random.experimental.stateless_shuffle(x, [1, 2]) @ weights}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"), weights=weights)


@build
def sorted_at_random(folder: Path) -> None:
    """What keras.random.shuffle exports: rows in the order of random numbers."""

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": keras.random.shuffle(x, seed=3) * 2.0}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"))


@build
def sampled(folder: Path) -> None:
    weights = tf.Variable(tf.ones([4, 5]))

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = x @ weights
        return {"z": mean + tf.exp(mean) * tf.random.normal(tf.shape(mean), seed=7), "logits": mean}

    export(folder, serve, tf.TensorSpec([None, 4], tf.float32, name="x"), weights=weights)


def export_v1(folder: Path, make: Callable[[], tuple[dict, dict, Any]], *, legacy: bool = False) -> None:
    with v1.Graph().as_default(), v1.Session() as session:
        inputs, outputs, main_op = make()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def(inputs, outputs)
        ops = {"legacy_init_op" if legacy else "main_op": main_op}
        collected = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, assets_collection=collected, **ops
        )
        builder.save()


def v1_network(x: tf.Tensor) -> tf.Tensor:
    with v1.variable_scope("net", use_resource=False):
        w = v1.get_variable("w", [4, 2], initializer=v1.random_normal_initializer(seed=1))
        b = v1.get_variable("b", [2], initializer=v1.zeros_initializer(), use_resource=True)
        return tf.nn.softmax(x @ w + b)


def v1_placeholder() -> tf.Tensor:
    return v1.placeholder(tf.float32, [None, 4], name="x")


@build
def v1_healthy(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        x = v1_placeholder()
        return {"x": x}, {"y": v1_network(x)}, v1.tables_initializer()

    export_v1(folder, make)


@build
def v1_restored_by_main_op(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        x = v1_placeholder()
        y = v1_network(x)
        metric = v1.get_variable("seen", [], collections=[v1.GraphKeys.LOCAL_VARIABLES], trainable=False)
        return {"x": x}, {"y": y}, v1.group(v1.local_variables_initializer(), metric.initializer)

    export_v1(folder, make)


@build
def v1_reinitialised(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        x = v1_placeholder()
        y = v1_network(x)
        return {"x": x}, {"y": y}, v1.group(v1.global_variables_initializer(), v1.tables_initializer())

    export_v1(folder, make)


@build
def v1_legacy_reinitialised(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        x = v1_placeholder()
        y = v1_network(x)
        return {"x": x}, {"y": y}, v1.global_variables_initializer()

    export_v1(folder, make, legacy=True)


@build
def v1_loop_dropout(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        v1.disable_control_flow_v2()
        x = v1_placeholder()
        looped = v1.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, h * 2.0), (tf.constant(0), x))[1]
        y = v1.nn.dropout(v1_network(looped), rate=0.5)
        v1.enable_control_flow_v2()
        return {"x": x}, {"y": y}, v1.tables_initializer()

    export_v1(folder, make)


def v1_phased(folder: Path, *, training: bool, control_flow: str) -> None:
    """As Keras exported with TensorFlow 1: both phases are in the graph, and a placeholder's default chooses."""

    def make() -> tuple[dict, dict, Any]:
        image = v1.placeholder(tf.float32, [None, 4, 4, 3], name="image")
        phase = v1.placeholder_with_default(training, [], name="keras_learning_phase")
        ones, zeros = tf.ones([3]), tf.zeros([3])

        def trained() -> tf.Tensor:
            return v1.nn.dropout(v1.nn.fused_batch_norm(image, ones, zeros, is_training=True)[0], rate=0.5)

        def served() -> tf.Tensor:
            return v1.nn.fused_batch_norm(image, ones, zeros, zeros, ones, is_training=False)[0]

        return {"image": image}, {"y": v1.cond(phase, trained, served)}, v1.tables_initializer()

    switch = {"v1": v1.disable_control_flow_v2, "v2": v1.enable_control_flow_v2}
    switch[control_flow]()
    export_v1(folder, make)
    v1.enable_control_flow_v2()


for _flow in ("v1", "v2"):
    for _training in (False, True):
        BUILDS[f"{_flow}_phase_{'training' if _training else 'serving'}"] = (
            lambda folder, training=_training, flow=_flow: v1_phased(
                folder, training=training, control_flow=flow
            )
        )


@build
def v1_batch_norm(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        image = v1.placeholder(tf.float32, [None, 4, 4, 3], name="image")
        y, _, _ = v1.nn.fused_batch_norm(image, tf.ones([3]), tf.zeros([3]), is_training=True)
        return {"image": image}, {"y": y}, v1.tables_initializer()

    export_v1(folder, make)


@build
def v1_flip(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        image = v1.placeholder(tf.float32, [4, 4, 3], name="image")
        cropped = v1.image.random_crop(v1.image.random_flip_left_right(image), [3, 3, 3])
        return {"image": image}, {"y": v1.image.random_brightness(cropped, 0.2)}, v1.tables_initializer()

    export_v1(folder, make)


@build
def v1_queue(folder: Path) -> None:
    def make() -> tuple[dict, dict, Any]:
        x = v1_placeholder()
        queue = v1.RandomShuffleQueue(100, 0, [tf.float32], shapes=[[4]])
        with v1.control_dependencies([queue.enqueue_many(x)]):
            rows = queue.dequeue_many(tf.shape(x)[0])
        return {"x": x}, {"y": v1_network(rows)}, v1.tables_initializer()

    export_v1(folder, make)


@build
def v1_vocabulary(folder: Path) -> None:
    file = folder.parent / "tokens.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(WORDS))

    def make() -> tuple[dict, dict, Any]:
        text = v1.placeholder(tf.string, [None], name="text")
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(file),  # which makes it an asset
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            1,
        )
        words = tf.strings.split(text).to_tensor("")
        embedded = tf.gather(v1.get_variable("table", [11, 3]), table.lookup(words))
        return {"text": text}, {"y": tf.reduce_mean(embedded, 1)}, v1.tables_initializer()

    export_v1(folder, make)


@build
def strings(folder: Path) -> None:
    """Strings of which the graph tells more, less, or nothing."""
    weights = tf.Variable(tf.random.normal([16, 2], seed=1))

    def serve(
        word: tf.Tensor, number: tf.Tensor, plan: tf.Tensor, opaque: tf.Tensor, key: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        buckets = tf.strings.to_hash_bucket_fast(word, 16)
        paid = tf.cast(plan == "paid", tf.float32)[:, None]
        return {
            "y": tf.gather(weights, buckets) + tf.strings.to_number(number)[:, None] + paid,
            "length": tf.strings.length(opaque),
            "key": tf.identity(key),
        }

    names = ("word", "number", "plan", "opaque", "key")
    strings = [tf.TensorSpec([None], tf.string, name=name) for name in names]
    export(folder, serve, *strings, weights=weights)


@build
def resnet50(folder: Path) -> None:
    keras.utils.set_random_seed(1)
    export_keras(keras.applications.ResNet50(weights=None, classes=10), folder)


def main(folder: Path) -> None:
    for name, make in BUILDS.items():
        keras.backend.clear_session()
        make(folder / name / "1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
