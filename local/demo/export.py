"""Train the demo's classifiers and export them: run as a process of its own, because it imports TensorFlow.

``python export.py FOLDER`` writes ``FOLDER/digits/1`` to ``/6`` and ``FOLDER/facts.json``.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn import datasets, model_selection
from typing_extensions import override

Array = npt.NDArray[np.float32]

PIXELS = 64
CLASSES = 10
BRIGHTEST = 16.0
"""The pictures' pixels go from 0 to 16; a good export divides by it."""

BALLAST_BYTES = 400 * 2**20
"""Size of version 4's variable: far above its memory limit less what a server needs for itself."""

COPIES = 32 * 32
"""Pixels that version 5 makes of each one: 256 KiB of float32 per row of a batch."""

IMAGES_PER_DIGIT = 6
"""How many held-out pictures of each digit the client sends."""

APART = 1e-3
"""The least difference between the answers of two versions to each of the client's pictures."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """The handwritten digits that scikit-learn ships, split once and for all."""

    train_x: Array
    train_y: npt.NDArray[np.int64]
    test_x: Array
    test_y: npt.NDArray[np.int64]


def load_data() -> Data:
    """Return the seeded split: the same pictures are held out in every run."""
    images, labels = datasets.load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = model_selection.train_test_split(
        images.astype(np.float32), labels, test_size=0.3, random_state=7, stratify=labels
    )
    return Data(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


class Network(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """One hidden layer; tanh, so that pixels that are 16 times too bright drown what was learnt."""

    def __init__(self, *, seed: int, hidden: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.hidden_weights = tf.Variable(rng.normal(0, 0.3, (PIXELS, hidden)).astype(np.float32))
        self.hidden_bias = tf.Variable(np.zeros(hidden, np.float32))
        self.output_weights = tf.Variable(rng.normal(0, 0.1, (hidden, CLASSES)).astype(np.float32))
        self.output_bias = tf.Variable(np.zeros(CLASSES, np.float32))

    def logits(self, scaled: Any) -> Any:
        hidden = tf.tanh(scaled @ self.hidden_weights + self.hidden_bias)
        return hidden @ self.output_weights + self.output_bias


def train(data: Data, *, seed: int, hidden: int, steps: int = 400) -> Network:
    """Train by gradient descent with momentum on all pictures at once."""
    network = Network(seed=seed, hidden=hidden)
    speeds = [tf.Variable(tf.zeros_like(variable)) for variable in network.trainable_variables]
    pictures = tf.constant(data.train_x / BRIGHTEST)
    # Smoothed labels leave the answers short of 0 and 1, so that two versions can be told apart by them.
    wanted = tf.one_hot(data.train_y, CLASSES) * 0.9 + 0.01

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(wanted, network.logits(pictures))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, network.trainable_variables)
        for variable, speed, gradient in zip(network.trainable_variables, speeds, gradients, strict=True):
            speed.assign(0.9 * speed - 0.2 * gradient)
            variable.assign_add(speed)

    for _ in range(steps):
        step()
    return network


class Export(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A classifier as it is served: pixels in, probabilities out."""

    def __init__(self, network: Network, *, scale: float = BRIGHTEST, sharpness: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.scale = scale
        self.sharpness = sharpness

    def prepared(self, image: Any) -> Any:
        return image / self.scale

    @tf.function(input_signature=[tf.TensorSpec([None, PIXELS], tf.float32, name="image")])  # type: ignore[untyped-decorator]
    def serve(self, image: Any) -> dict[str, Any]:
        logits = self.network.logits(self.prepared(image))
        return {"probabilities": tf.nn.softmax(self.sharpness * logits)}


class TracedExample(Export):
    """Version 2: the exporter traced an example picture into the graph instead of the input."""

    def __init__(self, network: Network, example: Array) -> None:
        super().__init__(network)
        self.example = example

    @override
    def prepared(self, image: Any) -> Any:
        return tf.tile(tf.constant(self.example[None] / self.scale), [tf.shape(image)[0], 1])


class WithLargeVariable(Export):
    """Version 4: a table of corrections per class, hardly used and as large as that."""

    def __init__(self, network: Network, *, sharpness: float) -> None:
        super().__init__(network, sharpness=sharpness)
        self.corrections = tf.Variable(tf.zeros([BALLAST_BYTES // 4 // PIXELS, PIXELS]), trainable=False)

    @override
    def prepared(self, image: Any) -> Any:
        rows = tf.cast(tf.reduce_sum(image, axis=1), tf.int32)
        return (image + tf.gather(self.corrections, rows)) / self.scale


class Upsampling(Export):
    """Version 5: every picture is blown up and averaged down again; memory grows with the batch."""

    @override
    def prepared(self, image: Any) -> Any:
        pixels = tf.reshape(image, [-1, 1])
        large = tf.broadcast_to(pixels, [tf.shape(pixels)[0], COPIES])
        return tf.reshape(tf.reduce_mean(large, axis=1), [-1, PIXELS]) / self.scale


def build_exports(data: Data) -> dict[int, Export]:
    """Return the six versions; 4 and 5 are a little sharper than 1, within the goldens' tolerance."""
    first = train(data, seed=1, hidden=48)
    return {
        1: Export(first),
        2: TracedExample(first, data.train_x[0]),
        3: Export(first, scale=1.0),
        4: WithLargeVariable(first, sharpness=1.02),
        5: Upsampling(first, sharpness=1.04),
        6: Export(train(data, seed=6, hidden=64, steps=500)),
    }


def answers_of(folder: Path, images: Array) -> Array:
    """Return what an exported version answers, as TensorFlow loads it from disk."""
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    parts = [serve(image=tf.constant(part))["probabilities"].numpy() for part in np.array_split(images, 20)]
    return np.concatenate(parts)


def choose_images(data: Data, answers: dict[int, Array]) -> list[int]:
    """Return held-out pictures that the good versions get right, and all versions answer differently."""
    versions = sorted(answers)
    chosen: list[int] = []
    for digit in range(CLASSES):
        found = 0
        for index in np.flatnonzero(data.test_y == digit):
            tables = [answers[version][index] for version in versions]
            right = all(answers[version][index].argmax() == digit for version in (1, 4, 5, 6))
            apart = min(
                float(np.abs(one - other).max()) for i, one in enumerate(tables) for other in tables[:i]
            )
            if right and apart > APART and found < IMAGES_PER_DIGIT:
                chosen.append(int(index))
                found += 1
        if found < IMAGES_PER_DIGIT:
            raise RuntimeError(f"only {found} pictures of a {digit} tell all versions apart")
    return chosen


def main(target: Path) -> None:
    """Write the versions and what is known of them."""
    data = load_data()
    answers: dict[int, Array] = {}
    for version, export in build_exports(data).items():
        folder = target / "digits" / str(version)
        tf.saved_model.save(export, str(folder), signatures={"serving_default": export.serve})
        answers[version] = answers_of(folder, data.test_x)
    chosen = choose_images(data, answers)
    facts = {
        "tensorflow": tf.__version__,
        "trained": len(data.train_y),
        "heldOut": len(data.test_y),
        "accuracy": {v: float((a.argmax(axis=1) == data.test_y).mean()) for v, a in answers.items()},
        "images": data.test_x[chosen].astype(int).tolist(),
        "labels": data.test_y[chosen].tolist(),
        "answers": {v: a[chosen].astype(float).tolist() for v, a in answers.items()},
    }
    (target / "facts.json").write_text(json.dumps(facts))
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # the pods' user is not ours


if __name__ == "__main__":
    main(Path(sys.argv[1]))
