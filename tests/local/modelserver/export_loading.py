"""Exports what the tests about loading need: SavedModels of TensorFlow 1 and 2, TFLite models, recorded requests.

``python export_loading.py FOLDER`` writes ``FOLDER/<model>/<version>``; a process of its own, because it imports
TensorFlow.
"""

import shutil
import sys
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    logging_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
    session_service_pb2,
)

v1 = tf.compat.v1
Log = prediction_log_pb2.PredictionLog
BIG_BYTES = 256 * 2**20
SLOW_ROUNDS = 6000.0
WORDS = ("red", "green", "blue")


def method(name: str) -> str:
    return f"tensorflow/serving/{name}"


def signature(inputs, outputs, name: str = "predict"):
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {alias: info(tensor) for alias, tensor in inputs.items()},
        {alias: info(tensor) for alias, tensor in outputs.items()},
        method(name),
    )


def examples_model(path: Path) -> None:
    """A model of TensorFlow 1 with a signature for each call; y = 2x + 1."""
    with v1.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], "serialized")
        parsed = v1.parse_example(serialized, {"x": v1.FixedLenFeature([1], tf.float32)})
        x = v1.placeholder_with_default(parsed["x"], [None, 1], "x")
        a, b = (v1.get_variable(name, initializer=value) for name, value in (("a", 2.0), ("b", 1.0)))
        y = v1.add(a * x, b, "y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": signature({"x": x}, {"y": y}),
                "regress": signature({"inputs": serialized}, {"outputs": y}, "regress"),
                "classify": signature({"inputs": serialized}, {"scores": y}, "classify"),
            },
        )
        builder.save()


def table_model(root: Path, path: Path, *, is_legacy: bool) -> None:
    """A model of TensorFlow 1 that looks words up in a file of its own, which must be read when it is loaded."""
    vocabulary = root / "words.txt"
    vocabulary.write_text("".join(f"{word}\n" for word in WORDS))
    with v1.Graph().as_default(), v1.Session() as session:
        asset = str(vocabulary)  # The initializer lists it among the assets.
        initializer = tf.lookup.TextFileInitializer(
            asset,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        table = tf.lookup.StaticHashTable(initializer, -1)
        word = v1.placeholder(tf.string, [None], "word")
        found = table.lookup(word)
        builder = v1.saved_model.Builder(str(path))
        initialize = v1.tables_initializer()
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature({"word": word}, {"index": found})},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            **({"legacy_init_op": initialize} if is_legacy else {"main_op": initialize}),
        )
        builder.save()
    vocabulary.unlink()


def tagged_model(path: Path) -> None:
    """Three graphs in one SavedModel: only their tags tell them apart."""
    builder = v1.saved_model.Builder(str(path))
    for offset, tags in ((1.0, ["train"]), (2.0, ["serve"]), (3.0, ["serve", "gpu"])):
        with v1.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None], "x")
            scale = v1.get_variable("scale", initializer=10.0)
            signatures = {"serving_default": signature({"x": x}, {"y": scale * x + offset})}
            session.run(v1.global_variables_initializer())
            if "train" in tags:
                builder.add_meta_graph_and_variables(session, tags, signatures)
            else:
                builder.add_meta_graph(tags, signatures)
    builder.save()


def reset_model(path: Path) -> None:
    """A model whose main op initialises its variables again: what was trained is lost whenever it is loaded."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        weight = v1.get_variable("weight", initializer=0.0)
        session.run(v1.global_variables_initializer())
        session.run(weight.assign(5.0))
        builder = v1.saved_model.Builder(str(path))
        signatures = {"serving_default": signature({"x": x}, {"y": weight * x + 1.0})}
        builder.add_meta_graph_and_variables(
            session, ["serve"], signatures, main_op=v1.global_variables_initializer()
        )
        builder.save()


class Words(tf.Module):
    """A table of TensorFlow 2, and the file that it is read from."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.asset = tf.saved_model.Asset(str(vocabulary))
        self.table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                self.asset,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def predict(self, word):
        return {"index": self.table.lookup(word)}


class Big(tf.Module):
    """A variable of 256 MiB."""

    def __init__(self) -> None:
        super().__init__()
        self.big = tf.Variable(tf.zeros([BIG_BYTES // 4]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def predict(self, x):
        return {"y": x + self.big[7]}


class Greedy(tf.Module):
    """Needs more memory than there may be: in a tensor, which fails a call, or in a text, which ends the process."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def predict(self, x):
        side = tf.cast(x[0], tf.int32)
        return {"y": x + tf.reduce_max(tf.random.uniform([side, side]))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def text(self, x):
        return {"y": tf.strings.length(tf.strings.as_string(x, width=2**30))}


class Slow(tf.Module):
    """Multiplies a matrix as often as the input says."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def predict(self, x):
        rounds = tf.cast(x[0], tf.int32)
        start = (tf.constant(0), tf.eye(256))
        _, matrix = tf.while_loop(lambda i, _: i < rounds, lambda i, m: (i + 1, tf.matmul(m, m)), start)
        return {"y": x + tf.reduce_sum(matrix)}


def slow_models(root: Path) -> None:
    """A model that is slow if asked to be, and one that is slow to load because a recorded request asks it to."""
    slow = Slow()
    source = root / "slow" / "1"
    tf.saved_model.save(slow, str(source), signatures=slow.predict.get_concrete_function())
    request = predict_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([SLOW_ROUNDS]))
    record = Log(predict_log=prediction_log_pb2.PredictLog(request=request))
    with tf.io.TFRecordWriter(str(warm_copy(root, source, "slow"))) as writer:
        writer.write(record.SerializeToString())


class Compiled(tf.Module):
    """A function that can only be run compiled."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], jit_compile=True)
    def predict(self, x):
        return {"y": 2.0 * x + 1.0}


def compiled_model(path: Path) -> None:
    compiled = Compiled()
    tf.saved_model.save(compiled, str(path), signatures=compiled.predict.get_concrete_function())


def greedy_model(path: Path) -> None:
    greedy = Greedy()
    functions = {"serving_default": greedy.predict, "text": greedy.text}
    signatures = {name: function.get_concrete_function() for name, function in functions.items()}
    tf.saved_model.save(greedy, str(path), signatures=signatures)


def big_model(path: Path) -> None:
    big = Big()
    tf.saved_model.save(big, str(path), signatures=big.predict.get_concrete_function())
    data = path / "variables" / "variables.data-00000-of-00001"
    # Zeros need no room on the disk.
    sparse = data.with_suffix(".sparse")
    with data.open("rb") as source, sparse.open("wb") as target:
        while chunk := source.read(2**20):
            if chunk.strip(b"\0"):
                target.write(chunk)
            else:
                target.seek(len(chunk), 1)
        target.truncate()
    sparse.replace(data)


class Line(tf.Module):
    """y = a * x + b for the TFLite converter."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def predict(self, x):
        return {"y": 2.0 * x + 1.0, "total": tf.reduce_sum(x, axis=1)}


class Pick(tf.Module):
    """Texts by their numbers, for the TFLite converter."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="words"),
            tf.TensorSpec([None], tf.int64, name="numbers"),
        ]
    )
    def predict(self, words, numbers):
        return {"picked": tf.gather(words, numbers)}


def tflite_of(module: tf.Module) -> bytes:
    function = module.predict.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()


def tflite_models(root: Path) -> None:
    converted = tflite_of(Line())
    both, broken = root / "tflite" / "1", root / "tflite_broken" / "1"
    # The SavedModel beside it answers otherwise, so that a test sees which of the two did.
    examples_model(both)
    (both / "model.tflite").write_bytes(converted)
    shutil.copytree(both, broken)
    (broken / "model.tflite").write_bytes(b"no flatbuffer of any kind")
    named = root / "tflite_named" / "1"
    named.mkdir(parents=True)
    (named / "model.tflite").write_bytes(with_signature_metadata(converted))
    text = root / "tflite_text" / "1"
    text.mkdir(parents=True)
    (text / "model.tflite").write_bytes(tflite_of(Pick()))


def with_signature_metadata(model: bytes) -> bytes:
    """Add the signatures that TensorFlow Serving reads: SignatureDefs in a metadata buffer of the model."""
    from flatbuffers import flexbuffers
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    mutable = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    graph = mutable.subgraphs[0]
    names = {
        kind: [graph.tensors[index].name.decode() for index in indices]
        for kind, indices in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    proto = tf.compat.v1.MetaGraphDef().signature_def["serving_default"]
    proto.method_name = method("predict")
    proto.inputs["points"].name = names["inputs"][0]
    proto.inputs["points"].dtype = tf.float32.as_datatype_enum
    for name in names["outputs"]:
        shape = next(t.shape for t in graph.tensors if t.name.decode() == name)
        alias = "line" if len(shape) == 2 else "sum"
        proto.outputs[alias].name = name
        proto.outputs[alias].dtype = tf.float32.as_datatype_enum
    buffer = schema.BufferT()
    buffer.data = flexbuffers.Dumps({"serving_default": proto.SerializeToString().decode("ascii")})
    mutable.buffers.append(buffer)
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = "signature_defs_metadata", len(mutable.buffers) - 1
    mutable.metadata = [*(mutable.metadata or []), metadata]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(mutable))


def input_of(*values: float):
    example_list = input_pb2.Input().example_list
    for value in values:
        example_list.examples.add().features.feature["x"].float_list.value.append(value)
    return input_pb2.Input(example_list=example_list)


def predict_log(alias: str = "x") -> Log:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "recorded"
    request.inputs[alias].CopyFrom(tf.make_tensor_proto([[1.0]]))
    return Log(predict_log=prediction_log_pb2.PredictLog(request=request))


def every_log() -> list[Log]:
    spec = {"name": "recorded", "signature_name": "classify"}
    classify = classification_pb2.ClassificationRequest(model_spec=spec, input=input_of(1.0, 2.0))
    spec = {"name": "recorded", "signature_name": "regress"}
    regress = regression_pb2.RegressionRequest(model_spec=spec, input=input_of(1.0, 2.0))
    tasks = [
        inference_pb2.InferenceTask(
            model_spec={"name": "recorded", "signature_name": name}, method_name=method(name)
        )
        for name in ("classify", "regress")
    ]
    several = inference_pb2.MultiInferenceRequest(tasks=tasks, input=input_of(3.0))
    return [
        predict_log(),
        Log(classify_log=prediction_log_pb2.ClassifyLog(request=classify)),
        Log(regress_log=prediction_log_pb2.RegressLog(request=regress)),
        Log(multi_inference_log=prediction_log_pb2.MultiInferenceLog(request=several)),
        Log(log_metadata=logging_pb2.LogMetadata(sampling_config={"sampling_rate": 1.0})),
    ]


def warm_models(root: Path, source: Path) -> None:
    session_run = Log(
        session_run_log=prediction_log_pb2.SessionRunLog(request=session_service_pb2.SessionRunRequest())
    )
    records = {
        "every": [each.SerializeToString() for each in every_log()],
        "failing": [predict_log().SerializeToString(), predict_log("z").SerializeToString()],
        "session_run": [session_run.SerializeToString()],
        "thousand": [predict_log().SerializeToString()] * 1000,
        "too_many": [predict_log().SerializeToString()] * 1001,
        "unreadable": [b"\xff\xff no PredictionLog"],
        "none": [],
    }
    for name, serialized in records.items():
        file = warm_copy(root, source, name)
        with tf.io.TFRecordWriter(str(file)) as writer:
            for record in serialized:
                writer.write(record)
    whole = (root / "warm_every" / "1" / "assets.extra" / "tf_serving_warmup_requests").read_bytes()
    warm_copy(root, source, "corrupt").write_bytes(whole[:20] + b"?" + whole[21:])
    warm_copy(root, source, "cut").write_bytes(whole[:-1])
    warm_copy(root, source, "no_records").write_text("these are no records, but text that is long enough\n")


def warm_copy(root: Path, source: Path, name: str) -> Path:
    target = root / f"warm_{name}" / "1"
    shutil.copytree(source, target)
    (target / "assets.extra").mkdir()
    return target / "assets.extra" / "tf_serving_warmup_requests"


def main(root: Path) -> None:
    examples_model(root / "examples" / "1")
    table_model(root, root / "table_main_op" / "1", is_legacy=False)
    table_model(root, root / "table_legacy" / "1", is_legacy=True)
    tagged_model(root / "tagged" / "1")
    reset_model(root / "reset" / "1")
    vocabulary = root / "words.txt"
    vocabulary.write_text("".join(f"{word}\n" for word in WORDS))
    words = Words(vocabulary)
    tf.saved_model.save(
        words, str(root / "table_tf2" / "1"), signatures=words.predict.get_concrete_function()
    )
    vocabulary.unlink()
    big_model(root / "big" / "1")
    greedy_model(root / "greedy" / "1")
    slow_models(root)
    compiled_model(root / "compiled" / "1")
    tflite_models(root)
    warm_models(root, root / "examples" / "1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
