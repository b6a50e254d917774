"""Run as a script: exports models that run out of memory, each in its own way; its argument is the folder.

Each takes rows of two numbers and answers one: at (0, 0) it needs next to nothing.
"""

import sys
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

MIB = 2**20
VARIABLES = 300 * MIB
ROW = 256 * 1024
"""What a row of `rows` takes while it is answered."""
WARM_ROWS = 1200
"""300 MiB in one recorded request."""
TEXT = 96 * MIB
SIGNATURE = [tf.TensorSpec([None, 2], tf.float32, "x")]


class Small(tf.Module):
    """Needs next to nothing."""

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        return {"y": tf.reduce_sum(x, axis=1)}


class Large(tf.Module):
    """Has a variable of 300 MiB."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.zeros([VARIABLES // 4]))

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        return {"y": tf.reduce_sum(x, axis=1) + self.table[0]}


class Rows(tf.Module):
    """Takes 256 KiB for each row of a batch."""

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        wide = tf.broadcast_to(x[:, :1], [tf.shape(x)[0], ROW // 4])
        return {"y": tf.reduce_sum(x, axis=1) + tf.reduce_max(wide, axis=1) * 0}


class Leaking(tf.Module):
    """Keeps as many MiB for ever as the first number of a request says."""

    def __init__(self):
        super().__init__()
        self.kept = tf.Variable(tf.zeros([1]), shape=[None])

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        more = tf.zeros([tf.cast(x[0, 0], tf.int32) * (MIB // 4)])
        self.kept.assign(tf.concat([self.kept, more], axis=0))
        return {"y": x[:, 1] + self.kept[0]}


class Square(tf.Module):
    """Makes a square matrix whose side the first number says."""

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        side = tf.cast(x[0, 0], tf.int32)
        return {"y": x[:, 1] + tf.reduce_sum(tf.random.uniform([side, side])) * 0}


class Text(tf.Module):
    """Makes a text so long that C++ has no memory for it where the address space is small."""

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        lengths = tf.strings.length(tf.strings.as_string(x[:, 0], width=TEXT))
        return {"y": x[:, 1] + tf.cast(lengths - TEXT, tf.float32)}


def write_warmup(folder: Path, model: str) -> None:
    """A recorded request that is answered before the version may serve."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(tf.zeros([WARM_ROWS, 2]).numpy()))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def main(folder: Path) -> None:
    versions = {"rows": 2}
    models = {
        "small": Small(),
        "large": Large(),
        "warmed": Rows(),
        "rows": Rows(),
        "leaking": Leaking(),
        "square": Square(),
        "text": Text(),
    }
    for name, model in models.items():
        for version in range(1, versions.get(name, 1) + 1):
            place = folder / "memory" / name / str(version)
            tf.saved_model.save(model, str(place), signatures={"serving_default": model.serve})
    write_warmup(folder / "memory" / "warmed" / "1", "warmed")
    for path in (folder / "memory", *(folder / "memory").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
