"""Exports models of which one tells what it was run on, and one answers in every type: run as a process of its own.

``python export_batching.py FOLDER`` writes ``FOLDER/telling/1`` and ``FOLDER/casting/1``. It imports TensorFlow.
"""

import sys
from pathlib import Path

import tensorflow as tf


def spec(*shape: int | None, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)


def told(like: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """The value once for each row."""
    return tf.fill([tf.shape(like)[0]], value)


class Telling(tf.Module):
    """Every signature's ``rows`` is the size of the batch that it was run on."""

    @tf.function(input_signature=[spec(None)])
    def double(self, x):
        return {"y": x * 2.0, "rows": told(x, tf.shape(x)[0])}

    @tf.function(input_signature=[spec(None), spec(None)])
    def add(self, a, b):
        return {"y": a + b}

    @tf.function(input_signature=[spec(None, None)])
    def total(self, x):
        return {
            "y": tf.reduce_sum(x, axis=1),
            "width": told(x, tf.shape(x)[1]),
            "rows": told(x, tf.shape(x)[0]),
        }

    @tf.function(input_signature=[spec(None, None, dtype=tf.string)])
    def join(self, words):
        return {"y": tf.strings.reduce_join(words, axis=1, separator=" ")}

    @tf.function(input_signature=[spec(None, None)])
    def project(self, x):
        return {"y": tf.matmul(x, tf.ones([2, 1]))}

    @tf.function(input_signature=[spec(None)])
    def scalar(self, x):
        return {"y": tf.reduce_sum(x)}

    @tf.function(input_signature=[spec(None)])
    def fewer(self, x):
        return {"y": x[1:]}


class Casting(tf.Module):
    """``cast_T`` answers in the type T; ``pair`` takes two strings."""

    @tf.function(input_signature=[spec(None, dtype=tf.string), spec(None, dtype=tf.string)])
    def pair(self, a, b):
        return {"y": a + b}

    @tf.function(input_signature=[spec(None)])
    def none(self, x):
        return {"y": x[:0]}


TYPES = ("float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
OTHER_TYPES = ("string", "float16", "bfloat16", "complex64", "complex128")


def caster(dtype: str):
    @tf.function(input_signature=[spec(None)])
    def cast(x):
        return {"y": tf.strings.as_string(x) if dtype == "string" else tf.cast(x, dtype)}

    return cast.get_concrete_function()


def main(root: Path) -> None:
    casting = Casting()
    casts = {f"cast_{dtype}": caster(dtype) for dtype in TYPES + OTHER_TYPES}
    others = {name: getattr(casting, name).get_concrete_function() for name in ("pair", "none")}
    tf.saved_model.save(casting, str(root / "casting" / "1"), signatures=casts | others)
    model = Telling()
    names = ("double", "add", "total", "join", "project", "scalar", "fewer")
    signatures = {name: getattr(model, name).get_concrete_function() for name in names}
    tf.saved_model.save(model, str(root / "telling" / "1"), signatures=signatures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
