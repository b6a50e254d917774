"""Pipelines with keras's own batch normalisation: random features, calibrated, under a trained head."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tests.zoo import networks, pipelines

HEAD: Final = ("w2", "b2")


class Signals(pipelines.Signals):
    """Measurements through a dense layer and batch normalisation."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__(random, steps=0)
        self.normalisation = keras.layers.BatchNormalization()
        self.normalisation.build((None, 24))
        before = (self.prepare(self.train_x) @ self.weights["w1"]).numpy()
        calibrate(self.normalisation, before.mean(0), before.var(0))
        train_head(self, ("w1", "b1"), 150)

    def hidden(
        self, prepared: Any, weights: Any = None, *, training: bool = False, layer: Any = None
    ) -> tf.Tensor:
        w = weights or self.weights
        return tf.tanh((layer or self.normalisation)(prepared @ w["w1"], training=training))

    @property
    def variables(self) -> list[tf.Variable]:
        return [*self.weights.values(), *(v.value for v in self.normalisation.variables)]


class Pictures(pipelines.Pictures):
    """Colour pictures through convolutions, with batch normalisation before the head."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__(random, steps=0)
        self.normalisation = keras.layers.BatchNormalization()
        self.normalisation.build((None, 8, 8, 8))
        first = tf.nn.conv2d(self.prepare(self.train_x), self.weights["k1"], 2, "SAME").numpy()
        calibrate(self.normalisation, first.mean((0, 1, 2)), first.var((0, 1, 2)))
        train_head(self, ("k1", "b1", "k2", "b2"), 80)

    def features(
        self, prepared: Any, weights: Any = None, *, training: bool = False, layer: Any = None
    ) -> tf.Tensor:
        w = weights or self.weights
        first = tf.nn.conv2d(prepared, w["k1"], 2, "SAME")
        one = tf.nn.relu((layer or self.normalisation)(first, training=training))
        two = tf.nn.relu(tf.nn.conv2d(one, w["k2"], 2, "SAME") + w["b2"])
        return tf.reshape(two, [-1, 4 * 4 * 12])

    @property
    def variables(self) -> list[tf.Variable]:
        return [*self.weights.values(), *(v.value for v in self.normalisation.variables)]


def calibrate(layer: Any, mean: Any, variance: Any) -> None:
    """Set the moving statistics to those of the training data."""
    layer.moving_mean.assign(np.asarray(mean, np.float32))
    layer.moving_variance.assign(np.asarray(variance, np.float32))


def copy_of(layer: Any, *, variance: float) -> Any:
    """The layer with a moving variance that is too large by a factor."""
    copied = keras.layers.BatchNormalization()
    copied.build((*[None] * (layer.input_spec.ndim - 1), int(layer.gamma.shape[0])))
    copied.set_weights(layer.get_weights())
    copied.moving_variance.assign(layer.moving_variance * variance)
    return copied


def train_head(pipeline: Any, frozen: tuple[str, ...], steps: int) -> None:
    """Train the last layer only."""
    kept = {name: pipeline.weights[name] for name in frozen}
    head = [value for name, value in pipeline.weights.items() if name not in kept]
    prepared = pipeline.prepare(pipeline.train_x)
    networks.fit(
        head,
        lambda: networks.cross_entropy(pipeline.logits(prepared), pipeline.train_y),
        steps=steps,
        rate=0.05,
    )
