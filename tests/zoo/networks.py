"""Small networks on plain variables, trained in seconds, and their export."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


def variable(values: Any, name: str = "weights") -> tf.Variable:
    return tf.Variable(np.asarray(values, np.float32), name=name)


def glorot(random: np.random.Generator, *shape: int) -> tf.Variable:
    fan = np.prod(shape[:-1]) + shape[-1]
    return variable(random.normal(0.0, np.sqrt(2.0 / fan), shape))


def fit(
    variables: Sequence[tf.Variable], loss: Callable[[], tf.Tensor], *, steps: int = 150, rate: float = 0.02
) -> float:
    """Train by Adam on all data at once; returns the last loss."""
    first = [tf.Variable(tf.zeros_like(each)) for each in variables]
    second = [tf.Variable(tf.zeros_like(each)) for each in variables]

    @tf.function(autograph=False)
    def step(count: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss()
        correction = tf.sqrt(1.0 - 0.999**count) / (1.0 - 0.9**count)
        for each, m, v, gradient in zip(
            variables, first, second, tape.gradient(value, variables), strict=True
        ):
            dense = tf.convert_to_tensor(gradient)
            m.assign(0.9 * m + 0.1 * dense)
            v.assign(0.999 * v + 0.001 * dense**2)
            each.assign_sub(rate * correction * m / (tf.sqrt(v) + 1e-7))
        return value

    value = tf.constant(0.0)
    for count in range(1, steps + 1):
        value = step(tf.constant(float(count)))
    return float(value)


def cross_entropy(logits: tf.Tensor, labels: Array, smoothing: float = 0.05) -> tf.Tensor:
    """Of smoothed labels, so that answers stay short of 0 and 1."""
    classes = logits.shape[-1]
    wanted = tf.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))


Answer = Callable[..., Mapping[str, tf.Tensor]]


def export(
    folder: Path,
    answer: Answer,
    *specs: tf.TensorSpec,
    variables: Sequence[Any] = (),
    signature: str = "serving_default",
    assets: Sequence[Any] = (),
) -> None:
    """Write a SavedModel with one signature; `variables` may hold keras layers, tables and modules too."""
    module = tf.Module()
    module.held = [part for each in variables for part in _parts(each)]
    module.assets = [
        tf.saved_model.Asset(str(asset)) if isinstance(asset, Path) else asset for asset in assets
    ]
    module.serve = tf.function(
        lambda *inputs: dict(answer(*inputs)), input_signature=list(specs), autograph=False
    )
    tf.saved_model.save(module, str(folder), signatures={signature: module.serve})


def _parts(held: Any) -> list[Any]:
    if isinstance(held, tf.Variable | tf.Module) or not hasattr(held, "variables"):
        return [held]
    return [each.value if hasattr(each, "value") else each for each in held.variables]


def spec(name: str, *shape: int | None, dtype: Any = None) -> tf.TensorSpec:
    """A batch-first input."""
    return tf.TensorSpec([None, *shape], dtype or tf.float32, name=name)
