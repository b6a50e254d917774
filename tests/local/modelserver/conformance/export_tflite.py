"""Exports TFLite models that say what those of TensorFlow Serving's own test data say: run as a process of its own.

``python export_tflite.py FOLDER`` writes ``FOLDER/<model>/<version>``.
"""

import sys
from pathlib import Path

import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

v1 = tf.compat.v1
VERSION = "00000123"


def tflite(folder: Path) -> None:
    """Write a flat buffer whose tensors are named like inputs and outputs, and that has no signature."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1], name="x")
        y = tf.identity(0.5 * x + 2.0, "y")
        data = v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(data)


def tflite_with_signature_def(folder: Path) -> None:
    """Write a flat buffer that carries a SignatureDef in its metadata; its input tensor has another name."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1], name="tflite_input")
        y = tf.identity(0.5 * x + 2.0, "y")
        info = v1.saved_model.utils.build_tensor_info
        described = v1.saved_model.signature_def_utils.build_signature_def(
            {"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"
        )
        data = v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.String("serving_default", described.SerializeToString().decode("ascii"))
    buffer = schema.BufferT()
    buffer.data = list(builder.Finish())
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"signature_defs_metadata", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


if __name__ == "__main__":
    root = Path(sys.argv[1])
    tflite(root / "half_plus_two_tflite" / VERSION)
    tflite_with_signature_def(root / "half_plus_two_tflite_with_sigdef" / VERSION)
