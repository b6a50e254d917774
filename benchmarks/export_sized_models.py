"""Exports models of a given size, one of each kind that holds its bytes in another way; run in a process of its own.

``python -m benchmarks.export_sized_models FOLDER KIND-MEBIBYTES…``
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

MIB: Final = 2**20
WIDTH: Final = 256


class Dense(tf.Module):
    """One large matrix that each prediction multiplies with."""

    def __init__(self, mebibytes: int) -> None:
        super().__init__()
        columns = mebibytes * MIB // 4 // WIDTH
        self.weights = tf.Variable(tf.zeros([WIDTH, columns]), name="weights")

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(tf.matmul(x, self.weights), axis=1)}


class Lookup(tf.Module):
    """One large table that each prediction reads a few rows of."""

    dtype: Any = tf.float32
    tables: int = 1

    def __init__(self, mebibytes: int) -> None:
        super().__init__()
        rows = mebibytes * MIB // self.dtype.size // WIDTH // self.tables
        self.parts = [tf.Variable(tf.zeros([rows, WIDTH], self.dtype)) for _ in range(self.tables)]

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        ids = tf.cast(x[:, 0], tf.int32)
        found = [tf.cast(tf.gather(part, ids), tf.float32) for part in self.parts]
        return {"y": tf.reduce_sum(tf.add_n(found), axis=1)}


class HalfLookup(Lookup):
    """The same in float16."""

    dtype = tf.float16


class ManyLookups(Lookup):
    """The same bytes in 512 variables."""

    tables = 512


class Constant(tf.Module):
    """A large matrix that the graph itself holds, as frozen graphs do."""

    def __init__(self, mebibytes: int) -> None:
        super().__init__()
        columns = mebibytes * MIB // 4 // WIDTH
        self.values = np.random.default_rng(1).standard_normal((WIDTH, columns), np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(tf.matmul(x, tf.constant(self.values)), axis=1)}


KINDS: Final[dict[str, Callable[[int], tf.Module]]] = {
    "dense": Dense,
    "lookup": Lookup,
    "half": HalfLookup,
    "many": ManyLookups,
    "constant": Constant,
}


def _export_frozen(mebibytes: int, folder: Path) -> None:
    """The constant in the main graph rather than in a function, as TensorFlow 1 wrote it."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, WIDTH])
        columns = mebibytes * MIB // 4 // WIDTH
        values = np.random.default_rng(1).standard_normal((WIDTH, columns), np.float32)
        y = tf.reduce_sum(tf.matmul(x, tf.constant(values)), axis=1)
        v1.saved_model.simple_save(session, str(folder / "1"), {"x": x}, {"y": y})


def _export_tflite(mebibytes: int, folder: Path) -> None:
    module = Constant(mebibytes)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.serve.get_concrete_function()], module
    )
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.tflite").write_bytes(converter.convert())


def main() -> None:
    """Export models, each into a folder of its name."""
    for name in sys.argv[2:]:
        kind, _, size = name.rpartition("-")
        mebibytes, folder = int(size), Path(sys.argv[1]) / name
        if kind == "frozen":
            _export_frozen(mebibytes, folder)
        elif kind == "tflite":
            _export_tflite(mebibytes, folder)
        else:
            module = KINDS[kind](mebibytes)
            tf.saved_model.save(module, str(folder / "1"), signatures={"serving_default": module.serve})
            del module
            gc.collect()


if __name__ == "__main__":
    main()
