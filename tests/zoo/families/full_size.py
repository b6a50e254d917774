"""ResNet50 and InceptionV3 of keras.applications: time, memory and payload are those of real users."""

from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common, wiring
from tfserving_operator.core.smoke.causes import Cause

tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy

GROUPS: Final = (1, 1, 1, 2)
PLAIN: Final = (1, 1, 1, 1)


def _plain(pipeline_name: str, answer: common.Answer | None = None) -> common.Builder:
    """Cases as JSON, a ConfigMap each."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        rows = pipeline.rows[: len(PLAIN)].astype(int).tolist()
        golden = {"probabilities": pipeline.golden[: len(PLAIN)]}
        made = common.served(pipeline_name, answer, rows=rows, golden=golden, groups=PLAIN, records={})
        return made(shop)

    return build


def _archived(pipeline_name: str, answer: common.Answer | None = None) -> common.Builder:
    """Cases as an npz file."""

    def build(shop: Any) -> entries.Specimen:
        records = {"x": getattr(shop.trained, pipeline_name).rows.astype(np.uint8)}
        form = entries.Form.Archive
        return common.served(pipeline_name, answer, form=form, groups=(1,) * 5, records=records)(shop)

    return build


def _images(shop: Any) -> entries.Specimen:
    """Cases as image files that the operator decodes; the model takes uint8."""
    pipeline = shop.trained.inception
    spec = networks.spec("image", pipeline.side, pipeline.side, 3, dtype=tf.uint8)
    shop.probabilities(pipeline, lambda raw: pipeline.answer(tf.cast(raw, tf.float32)), spec=spec)
    rows = [row | {"decode": {"channels": "RGB"}} for row in wiring.as_base64(wiring.encoded(pipeline.rows))]
    return shop.specimen(pipeline, rows=rows, form=entries.Form.Images, groups=GROUPS, records={})


def _unscaled(pipeline: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.logits(raw))


def _in_training(pipeline: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.head(pipeline.features(pipeline.prepare(raw), training=True)))


def _files(*, connected: bool) -> common.Builder:
    """Pictures as files; the retrained export's bottleneck reads the picture, or a frozen random tensor."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.inception
        side = pipeline.side
        drawn = shop.random.normal(0.0, 1.0, (1, len(pipeline.middle)))
        frozen = tf.constant(pipeline.middle + pipeline.spread * drawn, tf.float32)

        def decoded(file: Any) -> Any:
            image = tf.io.decode_image(file, channels=3, expand_animations=False)
            return tf.ensure_shape(tf.cast(image, tf.float32), [side, side, 3])

        def answer(files: Any) -> Any:
            images = pipeline.prepare(tf.map_fn(decoded, files, fn_output_signature=tf.float32))
            if connected:
                return {"probabilities": tf.nn.softmax(pipeline.logits(images))}
            bottleneck = tf.repeat(frozen, tf.shape(images)[0], axis=0)
            return {"probabilities": tf.nn.softmax(pipeline.head(bottleneck))}

        shop.export(answer, networks.spec("image_bytes", dtype=tf.string), variables=pipeline.variables)
        rows = wiring.as_base64(wiring.encoded(pipeline.rows))
        return shop.specimen(pipeline, rows=rows, groups=GROUPS, records={})

    return build


_FULL: Final = {"architecture": "full-size", "load_requests": 8, "timeout_seconds": 300.0}
_GOLDENS: Final = {"tested_with": (entries.Inputs.Goldens,)}
_HEALTHY: Final = {"tested_with": (entries.Inputs.Goldens, entries.Inputs.Made)}
_BLIND: Final = {"tested_with": (entries.Inputs.Goldens, entries.Inputs.Cases), "has_made_inputs": False}

ENTRIES: Final = (
    healthy("resnet50", _plain("resnet"), "ResNet50", **_FULL, **_HEALTHY),
    healthy("inceptionv3", _images, "InceptionV3, pictures as uint8", **_FULL, **_HEALTHY),
    healthy(
        "inceptionv3-files",
        _files(connected=True),
        "a retrained InceptionV3, pictures as files",
        **_FULL,
        **_BLIND,
    ),
    fault(
        "resnet50-unscaled",
        _plain("resnet", _unscaled),
        "image model fed unscaled pixels",
        Cause.UnscaledInput,
        **_FULL,
        **_GOLDENS,
    ),
    fault(
        "resnet50-bgr",
        _archived("resnet", lambda p, raw: p.answer(raw[..., ::-1])),
        "RGB/BGR",
        Cause.ChannelOrder,
        **_FULL,
        **_GOLDENS,
    ),
    fault(
        "resnet50-batch-norm-training",
        _archived("resnet", _in_training),
        "batch norm in training mode",
        Cause.BatchNormTraining,
        **_FULL,
        **_GOLDENS,
    ),
    fault(
        "inceptionv3-unscaled",
        _archived("inception", _unscaled),
        "image model fed unscaled pixels",
        Cause.UnscaledInput,
        **_FULL,
        **_GOLDENS,
    ),
    fault(
        "inceptionv3-frozen-bottleneck",
        _files(connected=False),
        "a retrained Inception-style export whose bottleneck is fed from a frozen random tensor",
        Cause.InputDisconnected,
        same_output=True,
        **_FULL,
        **_BLIND,
    ),
)
