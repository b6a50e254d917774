"""Full-size networks of keras.applications: drawn weights, calibrated statistics, and a head trained on a synthetic task."""

from functools import cached_property
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tests.zoo import networks, pipelines

Array = np.ndarray[Any, Any]
_IMAGES: Final = 32
_BATCH: Final = 16


class Backbone(pipelines.Classifier):
    """Pictures of full size, 0 to 255; scaled to [-1, 1]; random features under a trained head."""

    classes = 4

    def __init__(self, random: np.random.Generator, application: str, side: int) -> None:
        self.side = side
        keras.utils.set_random_seed(int(random.integers(1 << 30)))
        build = getattr(keras.applications, application)
        self.network = build(weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3))
        y = np.arange(_IMAGES) % self.classes
        self._split(_pictures(random, y, side), y)
        self._calibrate()
        more = self.features(tf.constant(self.prepare(self.train_x))).numpy()
        width = more.shape[1]
        self.middle, self.spread = more.mean(0), more.std(0) + 1e-3
        self.weights = {
            "w": networks.variable(np.zeros((width, self.classes))),
            "b": networks.variable(np.zeros(self.classes)),
        }
        self._train_head(more)

    def _calibrate(self) -> None:
        """One pass in training mode whose statistics replace the moving ones."""
        layers = [
            layer for layer in self.network.layers if isinstance(layer, keras.layers.BatchNormalization)
        ]
        for layer in layers:
            layer.momentum = 0.0
        self.network(self.prepare(self.train_x[:_BATCH]), training=True)
        for layer in layers:
            layer.momentum = 0.99

    def _train_head(self, features: Array) -> None:
        networks.fit(
            list(self.weights.values()),
            lambda: networks.cross_entropy(self.head(tf.constant(features)), self.train_y, 0.1),
            steps=60,
            rate=0.02,
        )

    def prepare(self, raw: Any) -> tf.Tensor:
        return raw / 127.5 - 1.0

    def features(self, prepared: Any, *, training: bool = False) -> tf.Tensor:
        return self.network(prepared, training=training)

    def head(self, features: Any) -> tf.Tensor:
        standard = (features - self.middle) / self.spread
        return standard @ self.weights["w"] + self.weights["b"]

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        return self.head(self.features(prepared))

    @property
    def variables(self) -> list[tf.Variable]:
        return [*self.weights.values(), *(v.value for v in self.network.variables)]

    @cached_property
    def rows(self) -> Array:
        """Five held-out pictures: JSON of them is large."""
        return self.x[:5]


def _pictures(random: np.random.Generator, y: Array, side: int) -> Array:
    """Each class has coarse patches of its own in colour and place; whole numbers, as of a decoded file."""
    coarse = random.uniform(10.0, 245.0, (int(y.max()) + 1, 8, 8, 3))
    steps = np.minimum(np.arange(side) * 8 // side, 7)
    large = coarse[y][:, steps][:, :, steps]
    light = random.uniform(0.6, 1.0, (len(y), 1, 1, 1))
    grain = random.normal(0.0, 10.0, (len(y), side // 4 + 1, side // 4 + 1, 3))
    grain = grain.repeat(4, axis=1).repeat(4, axis=2)[:, :side, :side]
    return np.floor(np.clip(large * light + grain, 0.0, 255.0)).astype(np.float32)
