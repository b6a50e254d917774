"""Small networks with random weights, for tests that break them."""

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def dense(rng: np.random.Generator, inputs: int, outputs: int = 3, hidden: int = 16) -> Function:
    """A classifier of standardised features."""
    w1 = rng.normal(size=(inputs, hidden)) / np.sqrt(inputs)
    b1 = rng.normal(size=hidden) * 0.3
    w2 = rng.normal(size=(hidden, outputs)) / np.sqrt(hidden) * 2
    b2 = rng.normal(size=outputs) * 0.3
    return lambda x: softmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2)


def conv(rng: np.random.Generator, channels: int = 3, outputs: int = 4, hidden: int = 8) -> Function:
    """A classifier of images with values about 0 to 1: a 3x3 convolution, and the mean over rows and columns."""
    kernel = rng.normal(size=(3, 3, channels, hidden)) / 3.0
    bias = rng.normal(size=hidden) * 0.1
    head = rng.normal(size=(2 * hidden, outputs)) * 2.0

    def answer(x: np.ndarray) -> np.ndarray:
        if x.shape[-1] != channels:
            raise ValueError(
                f"input depth must be evenly divisible by filter depth: {x.shape[-1]} vs {channels}"
            )
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        active = np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias, 0)
        top = active[:, : active.shape[1] // 2].mean(axis=(1, 2))
        return softmax(np.concatenate([top, active.mean(axis=(1, 2))], axis=1) @ head)

    return answer


def bag(rng: np.random.Generator, words: int = 50, outputs: int = 3, size: int = 8) -> Function:
    """A classifier of token ids: the mean of their embeddings, padding (0) left out; ids beyond the table are refused."""
    table = rng.normal(size=(words, size))
    head = rng.normal(size=(size, outputs)) * 2.0

    def answer(ids: np.ndarray) -> np.ndarray:
        if ids.min() < 0 or ids.max() >= words:
            raise IndexError(f"indices[0,0] = {ids.max()} is not in [0, {words})")
        kept = (ids != 0)[..., None]
        mean = (table[ids] * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
        return softmax(mean @ head)

    return answer
