"""The training pipelines: data, preparation, a trained network, and what they answer to raw records.

Each has `raw` (held-out records), `prepare`, `logits` and `answer`: builders take them apart to make faults.
"""

from functools import cached_property
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tests.zoo import networks

Array = np.ndarray[Any, Any]
ROWS: Final = 8


def spread_over(labels: Array, count: int = ROWS) -> Array:
    """Indices of held-out records of all classes in turn, so that goldens differ."""
    classes = np.unique(labels)
    return np.array(
        [np.flatnonzero(labels == classes[i % len(classes)])[i // len(classes)] for i in range(count)]
    )


class Classifier:
    """A trained classifier: raw record to probabilities."""

    x: Array
    y: Array
    train_x: Array
    weights: dict[str, tf.Variable]
    classes: int

    def prepare(self, raw: Any) -> tf.Tensor:
        raise NotImplementedError

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        raise NotImplementedError

    def train(self, steps: int, rate: float = 0.02) -> None:
        if not steps:
            return
        prepared = tf.constant(self.prepare(self.train_x))
        loss = networks.fit(
            list(self.weights.values()),
            lambda: networks.cross_entropy(self.logits(prepared), self.train_y),
            steps=steps,
            rate=rate,
        )
        assert np.isfinite(loss)

    train_y: Array

    def answer(self, raw: Any) -> tf.Tensor:
        return tf.nn.softmax(self.logits(self.prepare(raw)))

    @property
    def variables(self) -> list[tf.Variable]:
        return list(self.weights.values())

    @cached_property
    def rows(self) -> Array:
        """Held-out raw records of different classes."""
        return self.x[spread_over(self.y)]

    @cached_property
    def golden(self) -> Array:
        return np.asarray(self.answer(tf.constant(self.rows)))

    def _split(self, x: Array, y: Array) -> None:
        held = len(x) // 4
        self.x, self.y, self.train_x, self.train_y = x[:held], y[:held], x[held:], y[held:]


class Signals(Classifier):
    """Twelve measurements of different scales, standardised; one hidden layer."""

    FEATURES: Final = 12
    classes = 4

    def __init__(self, random: np.random.Generator, *, steps: int = 120) -> None:
        n = self.FEATURES
        y = random.integers(0, self.classes, 600)
        self.scale = np.round(10 ** random.uniform(0.0, 2.5, n), 2).astype(np.float32)
        self.offset = np.round(self.scale * random.uniform(-3.0, 6.0, n), 2).astype(np.float32)
        centres = random.normal(0.0, 1.3, (self.classes, n))
        x = (centres[y] + random.normal(0.0, 0.6, (600, n))) * self.scale + self.offset
        self._split(np.round(x, 3).astype(np.float32), y)
        self.mean = self.train_x.mean(axis=0)
        self.deviation = self.train_x.std(axis=0)
        self.weights = {
            "w1": networks.glorot(random, n, 24),
            "b1": networks.variable(np.zeros(24)),
            "w2": networks.glorot(random, 24, self.classes),
            "b2": networks.variable(np.zeros(self.classes)),
        }
        self.train(steps)

    def prepare(self, raw: Any) -> tf.Tensor:
        return (raw - self.mean) / self.deviation

    def hidden(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return tf.tanh(prepared @ w["w1"] + w["b1"])

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return self.hidden(prepared, w) @ w["w2"] + w["b2"]


class Pixels(Classifier):
    """Grey pictures of 10x10 pixels, 0 to 255, divided by 255; ReLU units."""

    SIDE: Final = 10
    classes = 5

    def __init__(
        self, random: np.random.Generator, *, steps: int = 120, weights: Array | None = None
    ) -> None:
        n = self.SIDE**2
        share = None if weights is None else weights / weights.sum()
        y = random.choice(self.classes, 600, p=share)
        y[: self.classes * 4] = np.arange(self.classes * 4) % self.classes
        y[150 : 150 + self.classes] = np.arange(self.classes)
        patterns = random.normal(0.0, 28.0, (self.classes, n))
        light = random.uniform(120.0, 170.0, (600, 1))
        x = np.clip(light + patterns[y] + random.normal(0.0, 14.0, (600, n)), 0.0, 255.0)
        self._split(np.floor(x).astype(np.float32), y)
        self.weights = {
            "w1": networks.glorot(random, n, 20),
            "b1": networks.variable(np.full(20, 0.05)),
            "w2": networks.glorot(random, 20, self.classes),
            "b2": networks.variable(np.zeros(self.classes)),
        }
        self.train(steps)

    def prepare(self, raw: Any) -> tf.Tensor:
        return raw / 255.0

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return tf.nn.relu(prepared @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]


class BrightPixels(Pixels):
    """The same with tanh units of positive weights: what is fine within 0 to 1 saturates all of them beyond it."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__(random, steps=0)
        positive = np.abs(self.weights["w1"].numpy())
        self.weights["w1"].assign(positive)
        self.weights["b1"].assign(-(self.prepare(self.train_x) @ positive).mean(axis=0))
        self.frozen = {name: self.weights.pop(name) for name in ("w1", "b1")}
        self.train(250, rate=0.1)
        self.weights |= self.frozen
        self.frozen = {}

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = (weights or self.weights) | self.frozen
        return tf.tanh(3.0 * (prepared @ w["w1"] + w["b1"])) @ w["w2"] + w["b2"]


class Pictures(Classifier):
    """Colour pictures of 16x16 pixels, 0 to 255; two convolutions. What tells classes apart is colour and place."""

    SIDE: Final = 16
    classes = 5

    def __init__(self, random: np.random.Generator, *, steps: int = 60) -> None:
        side, count = self.SIDE, 320
        y = random.integers(0, self.classes, count)
        coarse = random.uniform(20.0, 235.0, (self.classes, 4, 4, 3))
        patterns = coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2)
        light = random.uniform(0.75, 1.0, (count, 1, 1, 1))
        x = np.clip(patterns[y] * light + random.normal(0.0, 12.0, (count, side, side, 3)), 0.0, 255.0)
        self._split(np.floor(x).astype(np.float32), y)
        self.weights = {
            "k1": networks.glorot(random, 3, 3, 3, 8),
            "b1": networks.variable(np.zeros(8)),
            "k2": networks.glorot(random, 3, 3, 8, 12),
            "b2": networks.variable(np.zeros(12)),
            "w": networks.glorot(random, 4 * 4 * 12, self.classes),
            "b": networks.variable(np.zeros(self.classes)),
        }
        self.train(steps)

    def prepare(self, raw: Any) -> tf.Tensor:
        return raw / 127.5 - 1.0

    def features(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        one = tf.nn.relu(tf.nn.conv2d(prepared, w["k1"], 2, "SAME") + w["b1"])
        two = tf.nn.relu(tf.nn.conv2d(one, w["k2"], 2, "SAME") + w["b2"])
        return tf.reshape(two, [-1, 4 * 4 * 12])

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return self.features(prepared, w) @ w["w"] + w["b"]
