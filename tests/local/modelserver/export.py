"""Exports the SavedModels of the model server's tests: run as a process of its own, because it imports TensorFlow.

``python export.py FOLDER`` writes ``FOLDER/<model>/<version>``.
"""

import shutil
import sys
from pathlib import Path

import tensorflow as tf

DTYPES = (
    *("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bool", "string", "float16", "bfloat16", "complex64"),
)
BALLAST_FLOATS = 16 * 2**20
"""64 MiB."""


def spec(*shape: int | None, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)


class Line(tf.Module):
    """y = a * x + b"""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a, self.b = tf.Variable(a), tf.Variable(b)

    @tf.function(input_signature=[spec(None)])
    def predict(self, x):
        return {"y": self.a * x + self.b}


class Dense(tf.Module):
    """Four inputs, three outputs, one variable."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.ones([4, 3]))

    @tf.function(input_signature=[spec(None, 4)])
    def predict(self, x):
        return {"y": tf.matmul(x, self.weights)}


class Zoo(tf.Module):
    """One signature for each thing that the encoding can meet."""

    @tf.function(input_signature=[spec(None), spec(None, 2)])
    def several(self, a, b):
        return {"a": a * 2.0, "b": b, "name": tf.strings.as_string(tf.cast(a, tf.int32))}

    @tf.function(input_signature=[spec(None)])
    def scalar(self, x):
        return {"y": tf.reduce_sum(x)}

    @tf.function(input_signature=[spec(None)])
    def unequal(self, x):
        return {"a": x, "b": x[1:]}

    @tf.function(input_signature=[spec(None, dtype=tf.string)])
    def raw(self, x):
        return {"y_bytes": x}

    @tf.function(input_signature=[spec(None, dtype=tf.string)])
    def raw_columns(self, x):
        return {"y_bytes": tf.reshape(x, [-1, 1]), "z": tf.strings.length(x)}

    @tf.function(input_signature=[spec(None)])
    def half(self, x):
        return {"y": tf.cast(x, tf.float16)}

    @tf.function(input_signature=[spec(None)])
    def empty(self, x):
        return {"y": tf.zeros([tf.shape(x)[0], 0])}


class Slow(tf.Module):
    """Multiplies a matrix as often as the input says, and takes memory as the input says."""

    @tf.function(input_signature=[spec(None)])
    def predict(self, x):
        rounds = tf.cast(x[0], tf.int32)
        start = (tf.constant(0), tf.eye(256))
        _, matrix = tf.while_loop(lambda i, _: i < rounds, lambda i, m: (i + 1, tf.matmul(m, m)), start)
        return {"y": x + tf.reduce_sum(matrix)}

    @tf.function(input_signature=[spec(None)])
    def allocate(self, x):
        side = tf.cast(x[0], tf.int32)
        return {"y": x + tf.reduce_max(tf.random.uniform([side, side]))}


class Ballast(tf.Module):
    """A variable that is most of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.ballast = tf.Variable(tf.ones([BALLAST_FLOATS]))

    @tf.function(input_signature=[spec(None)])
    def predict(self, x):
        return {"y": x + self.ballast[0]}


def identity(dtype: tf.DType):
    @tf.function(input_signature=[tf.TensorSpec(None, dtype)])
    def same(x):
        return {"y": tf.identity(x)}

    return same.get_concrete_function()


def save(module: tf.Module, path: Path, **signatures) -> None:
    tf.saved_model.save(module, str(path), signatures=signatures)


def broken(source: Path, target: Path, *, file: str, is_removed: bool) -> None:
    """Copy a version and take a file away or cut it in half."""
    shutil.copytree(source, target)
    if is_removed:
        (target / file).unlink()
    else:
        data = (target / file).read_bytes()
        (target / file).write_bytes(data[: len(data) // 2])


def main(root: Path) -> None:
    for version, (a, b) in {1: (0.5, 2.0), 2: (0.5, 3.0), 10: (1.0, 0.0)}.items():
        line = Line(a, b)
        save(line, root / "line" / str(version), serving_default=line.predict.get_concrete_function())
    dense = Dense()
    save(dense, root / "dense" / "1", serving_default=dense.predict.get_concrete_function())
    zoo = Zoo()
    names = ("several", "scalar", "unequal", "raw", "raw_columns", "half", "empty")
    signatures = {name: getattr(zoo, name).get_concrete_function() for name in names}
    save(zoo, root / "zoo" / "1", **signatures, **{name: identity(tf.as_dtype(name)) for name in DTYPES})
    slow = Slow()
    slow_signatures = {"serving_default": slow.predict, "allocate": slow.allocate}
    save(slow, root / "slow" / "1", **{k: v.get_concrete_function() for k, v in slow_signatures.items()})
    ballast = Ballast()
    save(ballast, root / "ballast" / "1", serving_default=ballast.predict.get_concrete_function())
    first = root / "dense" / "1"
    data = "variables/variables.data-00000-of-00001"
    broken(first, root / "noindex" / "1", file="variables/variables.index", is_removed=True)
    broken(first, root / "truncated" / "1", file=data, is_removed=False)
    broken(first, root / "nograph" / "1", file="saved_model.pb", is_removed=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
