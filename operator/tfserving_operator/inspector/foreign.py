"""What was given instead of a SavedModel, and what to do about it."""

from collections.abc import Sequence
from typing import Final

BINARY_SAVED_MODEL_FILES: Final = ("saved_model.pb", "saved_model.cpb")
SAVED_MODEL_FILES: Final = (*BINARY_SAVED_MODEL_FILES, "saved_model.pbtxt")
"""What TensorFlow's loader looks for."""
_PARTS: Final = ("variables/", "assets/", "assets.extra/", "fingerprint.pb", "keras_metadata.pb")
"""What lies beside it."""
_FOREIGN: Final = (
    (
        ".weights.h5",
        "weights without a model; build the model in Keras, load them, and call model.export(folder)",
    ),
    (".keras", "a Keras model file; export it with model.export(folder)"),
    (".h5", "a Keras model file; load it and export it with model.export(folder)"),
    (".hdf5", "a Keras model file; load it and export it with model.export(folder)"),
    (".tflite", "a TensorFlow Lite model; export a SavedModel instead"),
    (".onnx", "an ONNX model, which TensorFlow Serving does not read; convert it to a SavedModel"),
    (".pt", "a PyTorch model, which TensorFlow Serving does not read; convert it to a SavedModel"),
    (".pth", "a PyTorch model, which TensorFlow Serving does not read; convert it to a SavedModel"),
    (".safetensors", "weights without a model; export a SavedModel with tf.saved_model.save"),
    (".ckpt", "a checkpoint; restore it in its model and export a SavedModel"),
    (".index", "a checkpoint; restore it in its model and export a SavedModel"),
    (".meta", "a checkpoint; restore it in its model and export a SavedModel"),
    (".pb", "a frozen graph; wrap it into a SavedModel with signatures"),
    (".tar.gz", "an archive; unpack it here"),
    (".tgz", "an archive; unpack it here"),
    (".zip", "an archive; unpack it here"),
)
_SHOWN: Final = 10


def told(names: Sequence[str]) -> str:
    """Say it in a sentence, from the names of the files that are there."""
    nested = next((name for name in names if name.rpartition("/")[2] in SAVED_MODEL_FILES), "")
    if nested:
        return f"its SavedModel is too deep: move what {nested.rpartition('/')[0]} holds into the version's folder"
    part = next((name for name in names if name.startswith(_PARTS)), "")
    if part:
        return f"saved_model.pb is missing beside {part}: copy the version's folder again, as a whole"
    for suffix, meaning in _FOREIGN:
        for name in names:
            if name.endswith(suffix):
                return f"it holds {name}, {meaning}"
    return f"it holds {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """The first few names."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
