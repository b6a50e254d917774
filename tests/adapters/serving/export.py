"""Exports small models, healthy and faulty, with TensorFlow; run in a process of its own: export.py FOLDER."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

RANDOM = np.random.default_rng(7)
WEIGHTS = RANDOM.normal(size=(4, 3)).astype(np.float32)
BIAS = np.array([0.3, -0.2, 0.1], np.float32)
FLOATS = tf.TensorSpec([None, 4], tf.float32, name="x")


class Model(tf.Module):
    def __init__(self, answer: Callable[..., dict[str, tf.Tensor]], *specs: tf.TensorSpec) -> None:
        super().__init__()
        self.weights = tf.Variable(WEIGHTS)
        self.bias = tf.Variable(BIAS)
        self.count = tf.Variable(0.0)
        self.serve = tf.function(lambda *inputs: answer(self, *inputs), input_signature=specs)


def logits(model: Model, x: tf.Tensor) -> tf.Tensor:
    return x @ model.weights + model.bias


def by_batch(model: Model, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Batch normalisation in training mode."""
    hidden = logits(model, x)
    mean, variance = tf.nn.moments(hidden, axes=[0])
    return {"probabilities": tf.nn.softmax((hidden - mean) / tf.sqrt(variance + 1e-3))}


def drift(model: Model, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """An answer that depends on how many there were before."""
    count = model.count.assign_add(1.0)
    return {"probabilities": tf.nn.softmax(logits(model, x / 16.0) * (1.0 + 0.3 * tf.sin(count)))}


def counting(model: Model, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """A counter beside a steady answer."""
    count = model.count.assign_add(1.0)
    return {
        "probabilities": tf.nn.softmax(logits(model, x / 16.0)),
        "served": tf.fill([tf.shape(x)[0], 1], count),
    }


def image(model: Model, x: tf.Tensor) -> dict[str, tf.Tensor]:
    pooled = tf.nn.avg_pool2d(x / 255.0, 56, 56, "VALID")
    return {"probabilities": tf.nn.softmax(logits(model, tf.reduce_mean(pooled, axis=[3])[:, :, 0]))}


def answers() -> dict[str, tuple[Callable[..., dict[str, tf.Tensor]], tuple[tf.TensorSpec, ...]]]:
    ids = tf.TensorSpec([None, 5], tf.int64, name="ids")
    key = tf.TensorSpec([None], tf.float32, name="key")
    named = tf.TensorSpec([None, 4], tf.float32, name="features")
    return {
        "good": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x / 16.0))}, (FLOATS,)),
        "retrained": (lambda m, x: {"probabilities": tf.nn.softmax(1.5 * logits(m, x / 16.0))}, (FLOATS,)),
        "unscaled": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x))}, (FLOATS,)),
        "constant": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x * 0.0))}, (FLOATS,)),
        "collapsed": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x * 1e-9))}, (FLOATS,)),
        "nan": (lambda m, x: {"probabilities": tf.math.log(-tf.abs(logits(m, x)) - 1.0)}, (FLOATS,)),
        "logarithm": (lambda m, x: {"y": tf.math.log(x)}, (FLOATS,)),
        "argmax": (lambda m, x: {"class": tf.argmax(logits(m, x * 1e-3), axis=1)}, (FLOATS,)),
        "side": (
            lambda m, x: {
                "probabilities": tf.nn.softmax(logits(m, x)),
                "version": tf.fill([tf.shape(x)[0], 1], 2.5),
            },
            (FLOATS,),
        ),
        "echo": (
            lambda m, x, key: {"key": tf.identity(key), "probabilities": tf.nn.softmax(logits(m, x * 0.0))},
            (FLOATS, key),
        ),
        "tiny": (lambda m, x: {"y": 1e-12 * logits(m, x)}, (FLOATS,)),
        "rare": (lambda m, x: {"y": tf.sigmoid(logits(m, x / 1000.0)[:, :1] - 30.0)}, (FLOATS,)),
        "renamed": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x / 16.0))}, (named,)),
        "words": (
            lambda m, x: {
                "word": tf.gather(tf.constant(["cat", "dog", "cow"]), tf.argmax(logits(m, x), axis=1))
            },
            (FLOATS,),
        ),
        "text": (
            lambda m, text: {"length": tf.strings.length(text)},
            (tf.TensorSpec([None], tf.string, name="text"),),
        ),
        "embedding": (
            lambda m, ids: {"y": tf.reduce_sum(tf.gather(m.weights, ids % 1000), axis=[1])},
            (ids,),
        ),
        "fixed": (
            lambda m, x: {"y": tf.reshape(tf.nn.softmax(logits(m, x)), [2, 3])},
            (tf.TensorSpec([2, 4], tf.float32, name="x"),),
        ),
        "by-batch": (by_batch, (FLOATS,)),
        "dropout": (
            lambda m, x: {"probabilities": tf.nn.softmax(tf.nn.dropout(logits(m, x / 16.0), 0.5))},
            (FLOATS,),
        ),
        "sampling": (
            lambda m, x: {
                "probabilities": tf.nn.softmax(
                    logits(m, x / 16.0) + tf.random.normal([tf.shape(x)[0], 3]) * 0.01
                )
            },
            (FLOATS,),
        ),
        "axis": (lambda m, x: {"class": tf.argmax(logits(m, x), axis=0)}, (FLOATS,)),
        "soft-axis": (lambda m, x: {"probabilities": tf.nn.softmax(logits(m, x / 16.0), axis=0)}, (FLOATS,)),
        "reversed": (
            lambda m, x: {"probabilities": tf.reverse(tf.nn.softmax(logits(m, x / 16.0)), axis=[0])},
            (FLOATS,),
        ),
        "drift": (drift, (FLOATS,)),
        "counting": (counting, (FLOATS,)),
        "half": (
            lambda m, x: {
                "probabilities": tf.cast(
                    tf.nn.softmax(
                        tf.cast(x / 16.0, tf.bfloat16) @ tf.cast(m.weights, tf.bfloat16)
                        + tf.cast(m.bias, tf.bfloat16)
                    ),
                    tf.float32,
                )
            },
            (FLOATS,),
        ),
        "image": (image, (tf.TensorSpec([None, 224, 224, 3], tf.float32, name="image"),)),
        "map": (lambda m, x: {"map": tf.tile(logits(m, x), [1, 333_334])}, (FLOATS,)),
        "wide": (lambda m, x: {"map": tf.tile(logits(m, x), [1, 100_000])}, (FLOATS,)),
    }


def main(folder: Path) -> None:
    for name, (answer, specs) in answers().items():
        model = Model(answer, *specs)
        tf.saved_model.save(model, str(folder / name / "1"), signatures={"serving_default": model.serve})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
