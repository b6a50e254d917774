"""Exports models that say what those of TensorFlow Serving's own test data say: run as a process of its own.

``python export.py FOLDER`` writes ``FOLDER/<model>/<version>``. The names of models, signatures, inputs, outputs and
tensors are those that tensorflow/serving documents under ``servables/tensorflow/testdata``.
"""

import sys
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

v1 = tf.compat.v1
VERSION = "00000123"
METHOD = "tensorflow/serving/"


def signature(inputs, outputs, method: str):
    return v1.saved_model.signature_def_utils.build_signature_def(
        {name: v1.saved_model.utils.build_tensor_info(tensor) for name, tensor in inputs.items()},
        {name: v1.saved_model.utils.build_tensor_info(tensor) for name, tensor in outputs.items()},
        METHOD + method,
    )


class HalfPlus:
    """y = a * x + b, y2 = a * x + c, y3 = a * x2 + c, from tf.Examples or from the numbers themselves."""

    def __init__(self, b: float) -> None:
        a, b = v1.Variable(0.5, name="a"), v1.Variable(b, name="b")
        c = v1.Variable(3.0, name="c")
        self.examples = v1.placeholder(tf.string, [None], name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
        }
        parsed = tf.io.parse_example(self.examples, features)
        self.x, self.x2 = tf.identity(parsed["x"], "x"), tf.identity(parsed["x2"], "x2")
        self.y = tf.identity(a * self.x + b, "y")
        self.y2 = tf.identity(a * self.x + c, "y2")
        self.y3 = tf.identity(a * self.x2 + c, "y3")

    def signatures(self):
        return {
            "serving_default": signature({"x": self.x}, {"y": self.y}, "predict"),
            "classify_x_to_y": signature({"inputs": self.examples}, {"scores": self.y}, "classify"),
            "regress_x_to_y": signature({"inputs": self.examples}, {"outputs": self.y}, "regress"),
            "regress_x_to_y2": signature({"inputs": self.examples}, {"outputs": self.y2}, "regress"),
            "regress_x2_to_y3": signature({"inputs": self.x2}, {"outputs": self.y3}, "regress"),
        }


def half_plus(folder: Path, b: float = 2.0) -> None:
    """Write the model with an asset and an operation that runs when it is loaded."""
    with tf.Graph().as_default(), v1.Session() as session:
        asset = folder.parent / "foo.txt"
        asset.parent.mkdir(parents=True, exist_ok=True)
        asset.write_text("asset-file-contents")
        model = HalfPlus(b)
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(str(asset)))
        named = v1.Variable("foo.txt", name="filename_tensor", trainable=False, collections=[])
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            model.signatures(),
            v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf.group(named.assign("foo.txt")),
        )
        builder.save()
        asset.unlink()


class HalfPlusTwo(tf.Module):
    """The same model as TensorFlow 2 writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = tf.Variable(0.5), tf.Variable(2.0), tf.Variable(3.0)

    def _parsed(self, examples, name: str):
        return tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([1], tf.float32)})[name]

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
    def predict(self, x):
        return {"y": self.a * x + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def classify(self, inputs):
        return {"scores": self.a * self._parsed(inputs, "x") + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def regress(self, inputs):
        return {"outputs": self.a * self._parsed(inputs, "x") + self.b}


def half_plus_two_tf2(folder: Path) -> None:
    module = HalfPlusTwo()
    signatures = {
        "serving_default": module.predict,
        "classify_x_to_y": module.classify,
        "regress_x_to_y": module.regress,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def counter(folder: Path) -> None:
    """Write a model with a state that requests change."""
    with tf.Graph().as_default(), v1.Session() as session:
        value = v1.Variable(0.0, name="counter", use_resource=False)
        delta = v1.placeholder(tf.float32, name="delta")
        signatures = {
            "get_counter": signature({}, {"output": value}, "predict"),
            "incr_counter": signature({}, {"output": value.assign_add(1.0)}, "predict"),
            "incr_counter_by": signature({"delta": delta}, {"output": value.assign_add(delta)}, "predict"),
            "reset_counter": signature({}, {"output": value.assign(0.0)}, "predict"),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def vocabulary(folder: Path) -> str:
    path = folder.parent / "words.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("zero\none\ntwo\n")
    return str(path)


def table(path: str):
    initializer = tf.lookup.TextFileInitializer(
        path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    return tf.lookup.StaticHashTable(initializer, -1)


def table_tf1(folder: Path) -> None:
    """Write a model whose table the initialisation fills from an asset."""
    with tf.Graph().as_default(), v1.Session() as session:
        path = vocabulary(folder)
        words = v1.placeholder(tf.string, [None], name="words")
        numbers = table(path).lookup(words)  # names the file as an asset
        session.run(v1.tables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature({"words": words}, {"numbers": numbers}, "predict")},
            v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    Path(path).unlink()


class Words(tf.Module):
    """The same table in TensorFlow 2."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.table = table(path)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def look_up(self, words):
        return {"numbers": self.table.lookup(words)}


def table_tf2(folder: Path) -> None:
    path = vocabulary(folder)
    words = Words(path)
    tf.saved_model.save(words, str(folder), signatures=words.look_up.get_concrete_function())
    Path(path).unlink()


def product(folder: Path) -> None:
    """Write a checkpoint with a function whose only signature is a concrete function."""
    root = tf.train.Checkpoint(v1=tf.Variable(3.0), v2=tf.Variable(2.0))
    root.f = tf.function(lambda x: {"y": root.v1 * root.v2 * x})
    tf.saved_model.save(root, str(folder), root.f.get_concrete_function(tf.TensorSpec(None, tf.float32)))


def two_signatures(folder: Path) -> None:
    specs = [tf.TensorSpec(None, tf.float32)]
    root = tf.train.Checkpoint()
    # An input that no operation uses stays an input of the signature.
    root.f = tf.function(lambda x: {"y": tf.constant(1.0)}, input_signature=specs)
    root.g = tf.function(lambda x: {"y": tf.constant(2.0)}, input_signature=specs)
    tf.saved_model.save(root, str(folder), {"serving_default": root.f, "custom_signature_key": root.g})


def keras_sequential(folder: Path) -> None:
    layers = [keras.layers.Input((1,), name="x"), keras.layers.Lambda(lambda x: x, name="y")]
    model = keras.Sequential(layers)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def serve(x):
        return {"y": model(x)}

    tf.saved_model.save(model, str(folder), signatures=serve)


class Dense(tf.Module):
    """A layer whose variables have a copy on each device.

    Keras 3 keeps a second variable for each that is mirrored, and the C++ runtime restores only one of both.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        super().__init__()
        with strategy.scope():
            self.kernel, self.bias = tf.Variable([[1.0]]), tf.Variable([0.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def serve(self, x):
        return {"y": tf.matmul(x, self.kernel) + self.bias}


def distributed(folder: Path) -> None:
    module = Dense(tf.distribute.MirroredStrategy(("/cpu:0", "/cpu:1")))
    tf.saved_model.save(module, str(folder), signatures=module.serve)


def example(**features: float) -> tf.train.Example:
    made = tf.train.Example()
    for name, value in features.items():
        made.features.feature[name].float_list.value.append(value)
    return made


def warmup_logs(predict_value):
    """One record of each kind that the original replays."""
    predict = prediction_log_pb2.PredictionLog()
    request = predict.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "any", "serving_default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(predict_value))
    classify = prediction_log_pb2.PredictionLog()
    classify.classify_log.request.model_spec.signature_name = "classify_x_to_y"
    classify.classify_log.request.input.example_list.examples.append(example(x=2.0))
    regress = prediction_log_pb2.PredictionLog()
    regress.regress_log.request.model_spec.signature_name = "regress_x_to_y"
    regress.regress_log.request.input.example_list.examples.append(example(x=2.0))
    multi = prediction_log_pb2.PredictionLog()
    tasks = multi.multi_inference_log.request.tasks
    for kind in ("classify", "regress"):
        task = tasks.add(method_name=METHOD + kind)
        task.model_spec.name, task.model_spec.signature_name = "any", f"{kind}_x_to_y"
    multi.multi_inference_log.request.input.example_list.examples.append(example(x=2.0))
    return predict, classify, regress, multi


def half_plus_two_warm(folder: Path, predict_value) -> None:
    half_plus(folder)
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for log in warmup_logs(predict_value):
            writer.write(log.SerializeToString())


def main(root: Path) -> None:
    half_plus(root / "half_plus_two" / VERSION)
    half_plus(root / "half_plus_three" / VERSION, 3.0)
    for version in ("00000123", "00000124"):
        half_plus(root / "half_plus_two_2_versions" / version)
    half_plus_two_tf2(root / "half_plus_two_tf2" / VERSION)
    half_plus_two_warm(root / "half_plus_two_warm" / VERSION, [2.0])
    half_plus_two_warm(root / "half_plus_two_failing_warmup" / VERSION, ["no number"])
    counter(root / "counter" / VERSION)
    table_tf1(root / "table_tf1" / VERSION)
    table_tf2(root / "table_tf2" / VERSION)
    product(root / "product" / VERSION)
    two_signatures(root / "two_signatures" / VERSION)
    keras_sequential(root / "keras_sequential" / VERSION)
    distributed(root / "distributed" / VERSION)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    v1.disable_resource_variables()
    main(Path(sys.argv[1]))
