"""The answers of the exported models, computed without TensorFlow."""

import numpy as np

WEIGHTS = np.random.default_rng(7).normal(size=(4, 3)).astype(np.float32)
BIAS = np.array([0.3, -0.2, 0.1], np.float32)


def good(x: np.ndarray) -> np.ndarray:
    raw = np.exp((x / 16.0) @ WEIGHTS + BIAS)
    return raw / raw.sum(axis=1, keepdims=True)
