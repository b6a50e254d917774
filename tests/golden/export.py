"""Run as a script: exports models into the folder that is its argument."""

import sys
from pathlib import Path

import tensorflow as tf


class Linear(tf.Module):
    """Two features; two outputs, one wide enough to be kept as classes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable([[1.0, -2.0], [0.5, 1.0]])
        self.wide = tf.Variable(tf.reshape(tf.sin(tf.range(200.0)), [2, 100]))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x @ self.weight, "classes": tf.nn.softmax(x @ self.wide)}


class Words(tf.Module):
    """A vocabulary, so that the goldens' provenance names it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / "words.txt"
        path.write_text("cat\ndog\n")
        self.file = tf.saved_model.Asset(str(path))
        self.table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                self.file,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def serve(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"id": self.table.lookup(text)}


def main(folder: Path) -> None:
    linear = Linear()
    tf.saved_model.save(linear, str(folder / "linear" / "1"), signatures={"serving_default": linear.serve})
    other = Linear()
    other.weight.assign([[1.0, -2.0], [0.5, 1.01]])
    tf.saved_model.save(other, str(folder / "linear" / "2"), signatures={"serving_default": other.serve})
    words = Words(folder)
    tf.saved_model.save(words, str(folder / "words" / "1"), signatures={"serving_default": words.serve})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
