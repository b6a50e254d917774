"""Exports the models of the inference tests: run as a process of its own, because it imports TensorFlow.

``python export_inference.py FOLDER`` writes ``FOLDER/<model>/<version>``.
"""

import sys
from pathlib import Path

import tensorflow as tf

CLASSIFY, REGRESS, PREDICT = (f"tensorflow/serving/{name}" for name in ("classify", "regress", "predict"))
DTYPES = ("complex128", "qint8", "quint8", "qint32")


def info(tensor: tf.Tensor) -> tf.compat.v1.saved_model.utils.build_tensor_info:
    return tf.compat.v1.saved_model.utils.build_tensor_info(tensor)


def signature(method: str, inputs: dict, outputs: dict):
    return tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        method,
    )


def signatures() -> dict:
    """y = 0.5 * x + 2, offered in every way that is right or wrong."""
    v1 = tf.compat.v1
    serialized = v1.placeholder(tf.string, [None], "tf_example")
    other = v1.placeholder(tf.string, [None], "other_example")
    features = {
        "x": tf.io.FixedLenFeature([1], tf.float32, [0.0]),
        "name": tf.io.FixedLenFeature([1], tf.string, [""]),
        "count": tf.io.FixedLenFeature([1], tf.int64, [0]),
    }
    parsed = tf.io.parse_example(serialized, features)
    x = tf.identity(parsed["x"], "x")
    half, two = v1.Variable(0.5, name="half"), v1.Variable(2.0, name="two")
    y = tf.add(half * x, two, "y")
    integers = tf.cast(y, tf.int32)
    names = tf.concat([parsed["name"], tf.strings.as_string(parsed["count"])], 1)
    scores = tf.concat([y, y + 1.0], 1)
    given = {"inputs": serialized}
    made = {
        "serving_default": signature(PREDICT, {"x": x}, {"y": y, "z": y * 2.0}),
        "regress": signature(REGRESS, given, {"outputs": y}),
        "regress_flat": signature(REGRESS, given, {"outputs": tf.reshape(y, [-1])}),
        "regress_other": signature(
            REGRESS, {"inputs": other}, {"outputs": tf.cast(tf.shape(other), tf.float32)}
        ),
        "regress_wide": signature(REGRESS, given, {"outputs": scores}),
        "regress_short": signature(REGRESS, given, {"outputs": y[:1]}),
        "regress_integers": signature(REGRESS, given, {"outputs": integers}),
        "regress_misnamed": signature(REGRESS, given, {"values": y}),
        "regress_unfed": signature(REGRESS, {"x": x}, {"outputs": y}),
        "regress_two": signature(REGRESS, given, {"outputs": y, "more": y}),
        "classify_scores": signature(CLASSIFY, given, {"scores": y}),
        "classify_classes": signature(CLASSIFY, given, {"classes": names}),
        "classify": signature(CLASSIFY, given, {"classes": names, "scores": scores}),
        "classify_uneven": signature(CLASSIFY, given, {"classes": names, "scores": y}),
        "classify_flat": signature(CLASSIFY, given, {"scores": tf.reshape(y, [-1])}),
        "classify_integers": signature(CLASSIFY, given, {"scores": integers}),
        "classify_numbers": signature(CLASSIFY, given, {"classes": scores}),
        "classify_short": signature(CLASSIFY, given, {"scores": y[:1]}),
        "classify_misnamed": signature(CLASSIFY, given, {"values": y}),
        "classify_unfed": signature(CLASSIFY, {"x": x}, {"scores": y}),
        "classify_three": signature(CLASSIFY, given, {"scores": y, "classes": names, "more": y}),
        "two_inputs": signature(CLASSIFY, {"inputs": serialized, "x": x}, {"scores": y}),
        "unnamed_method": signature("", {"x": x}, {"y": y}),
        "predicts_classes": signature(PREDICT, given, {"scores": y}),
        "predicts_values": signature(PREDICT, given, {"outputs": y}),
    }
    scale = v1.placeholder(tf.float32, [], "scale")
    made["scaled"] = signature(PREDICT, {"x": x, "scale": scale}, {"y": y * scale})
    made["scaled"].defaults["scale"].CopyFrom(tf.make_tensor_proto(3.0))
    for name in DTYPES:
        dtype = tf.as_dtype(name)
        any_shape = v1.placeholder(dtype, None, f"{name}_in")
        made[name] = signature(PREDICT, {"x": any_shape}, {"y": tf.identity(any_shape)})
    return made


def main(root: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = signatures()
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.Builder(str(root / "examples" / "123"))
        builder.add_meta_graph_and_variables(session, ["serve"], made)
        builder.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
