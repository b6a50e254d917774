"""Run as a script: exports the model that the README speaks of; its argument is the folder."""

import math
import sys
from pathlib import Path

import tensorflow as tf


class Cat(tf.Module):
    """Two features in, two probabilities out: 0.9 and 0.1 for the cat of the README's case."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable([[5.0, -5.0], [-4.0, 4.0]])
        self.bias = tf.Variable([math.log(9) + 0.6, 0.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "features")])
    def serve(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(features @ self.weight + self.bias)}


def main(folder: Path) -> None:
    model = Cat()
    tf.saved_model.save(model, str(folder / "resnet" / "1"), signatures={"serving_default": model.serve})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
