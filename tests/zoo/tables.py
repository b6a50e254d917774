"""The training pipeline of a table: customers, with a feature each of its own name and scale."""

from typing import Any, Final

import numpy as np
import tensorflow as tf

from tests.zoo import networks, pipelines

Array = np.ndarray[Any, Any]
NAMES: Final = ("age", "income", "balance", "tenure", "visits", "score")
_MIDDLES: Final = np.array([41.0, 52_000.0, 3_100.0, 6.5, 12.0, 0.55], np.float32)
_WIDTHS: Final = np.array([12.0, 17_000.0, 1_900.0, 3.0, 5.0, 0.2], np.float32)


class Customers(pipelines.Classifier):
    """Six features, standardised; answers the probability of leaving as two classes."""

    classes = 2

    def __init__(self, random: np.random.Generator, *, steps: int = 120) -> None:
        count = 500
        unit = random.normal(0.0, 1.0, (count, len(NAMES)))
        slope = random.choice([-1.0, 1.0], len(NAMES)) * random.uniform(0.6, 1.6, len(NAMES))
        y = (unit @ slope + 0.8 * unit[:, 0] * unit[:, 3] > 0.0).astype(np.int64)
        x = np.round(unit * _WIDTHS + _MIDDLES, 2)
        self._split(x.astype(np.float32), y)
        self.mean, self.deviation = self.train_x.mean(axis=0), self.train_x.std(axis=0)
        self.weights = {
            "w1": networks.glorot(random, len(NAMES), 16),
            "b1": networks.variable(np.zeros(16)),
            "w2": networks.glorot(random, 16, 2),
            "b2": networks.variable(np.zeros(2)),
        }
        self.train(steps)

    def prepare(self, raw: Any) -> tf.Tensor:
        return (raw - self.mean) / self.deviation

    def logits(self, prepared: Any, weights: Any = None) -> tf.Tensor:
        w = weights or self.weights
        return tf.tanh(prepared @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]

    @property
    def named_rows(self) -> list[dict[str, float]]:
        """The raw records with each feature under its own name."""
        short = [[float(np.format_float_positional(v)) for v in row] for row in self.rows]
        return [dict(zip(NAMES, row, strict=True)) for row in short]

    @property
    def records(self) -> dict[str, Array]:
        """All raw records by feature."""
        return {name: self.train_x[:, i : i + 1] for i, name in enumerate(NAMES)}

    @staticmethod
    def specs() -> list[tf.TensorSpec]:
        """One input for each feature."""
        return [networks.spec(name) for name in NAMES]
