"""Run as a script: exports a model that answers well for a while, and then drifts; its argument is the folder."""

import sys
from pathlib import Path

import tensorflow as tf

STEADY_CALLS = 600
"""More than the test before promotion and the bake send; fewer than a client sends in a moment."""


class Drifting(tf.Module):
    """Counts its calls, and forgets what it learnt beyond some."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable([[1.0, -2.0], [0.5, 1.0]])
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        calls = self.calls.assign_add(1.0)
        factor = tf.where(calls > STEADY_CALLS, 0.5, 1.0)
        return {"y": x @ self.weight * factor}


class Steady(tf.Module):
    """The version before."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable([[1.0, -2.0], [0.5, 1.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x @ self.weight}


def main(folder: Path) -> None:
    for version, model in ((1, Steady()), (2, Drifting())):
        tf.saved_model.save(
            model, str(folder / "linear" / str(version)), signatures={"serving_default": model.serve}
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
