"""Exports what an inspector meets, with TensorFlow; run in a process of its own: export.py FOLDER."""

import sys
from pathlib import Path

import keras
import tensorflow as tf


class Scorer(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.ones([1000, 3]))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1000], tf.float32, name="x"),
            tf.TensorSpec([], tf.int64, name="n"),
        ]
    )
    def serve(self, x: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": x @ self.weights, "count": n + 1}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, name="text")])
    def length(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"length": tf.strings.length(text)}


def main(folder: Path) -> None:
    model = Scorer()
    signatures = {"serving_default": model.serve, "length": model.length}
    tf.saved_model.save(model, str(folder / "scorer" / "1"), signatures=signatures)
    tf.saved_model.save(tf.Module(), str(folder / "unsigned" / "1"))
    digits = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    (folder / "kerasfile" / "1").mkdir(parents=True)
    digits.save(folder / "kerasfile" / "1" / "model.keras")
    digits.export(str(folder / "digits" / "7"), verbose=False)
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.placeholder(tf.float32, [None], name="x")
    tf.io.write_graph(graph, str(folder / "frozen" / "1"), "graph.pb", as_text=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
