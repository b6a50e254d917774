"""Version folders that are not whole, or not what the server and the clients take."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common, text
from tfserving_operator.core.smoke.causes import Cause

documents: Any = lazily.Module("tests.zoo.documents")
tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")
fault, healthy = entries.fault, entries.healthy


def _then(build: common.Builder, spoil: Callable[[Path], None]) -> common.Builder:
    """Build a model, and then break its files; the provenance was recorded before."""

    def built(shop: Any) -> entries.Specimen:
        specimen = build(shop)
        spoil(shop.version())
        return specimen

    return built


def _without_index(folder: Path) -> None:
    (folder / "variables" / "variables.index").unlink()


def _without_data(folder: Path) -> None:
    next((folder / "variables").glob("variables.data-*")).unlink()


def _cut_off(folder: Path) -> None:
    data = next((folder / "variables").glob("variables.data-*"))
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])


def _unknown_op(name: bytes) -> Callable[[Path], None]:
    """The graph uses an op that the server's build lacks: one is renamed, to a name as long."""

    def spoil(folder: Path) -> None:
        path = folder / "saved_model.pb"
        content = path.read_bytes()
        renamed = b"Zoo" + name[3:]
        spoilt = re.sub(rb"(?<![A-Za-z])" + name + rb"(?![A-Za-z0-9])", renamed, content)
        assert spoilt != content, f"the graph has no {name!r}"
        path.write_bytes(spoilt)

    return spoil


def _other_signature(pipeline_name: str) -> common.Builder:
    """Exported under another name than clients, and the spec, ask for."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = getattr(shop.trained, pipeline_name)
        whole = networks.spec("x", *pipeline.x.shape[1:])
        shop.probabilities(pipeline, pipeline.answer, signature="predict_images", spec=whole)
        signature = documents.of_version(shop.version(), "predict_images")
        signature["signature"]["name"] = "serving_default"
        return shop.specimen(pipeline, provenance=signature)

    return build


def _renamed_input(shop: Any) -> entries.Specimen:
    """The new version's input has another name; the active one takes what clients send."""
    pipeline = shop.trained.series
    old, new = (networks.spec(name, pipeline.STEPS, 2) for name in ("series", "inputs"))
    shop.probabilities(pipeline, pipeline.answer, spec=new)
    shop.probabilities(pipeline, pipeline.answer, spec=old, version=1)
    rows = [{"series": row} for row in pipeline.rows.tolist()]
    return shop.specimen(
        pipeline,
        rows=rows,
        records={"series": pipeline.train_x},
        provenance=documents.of_version(shop.version(1), "serving_default"),
    )


def _wrong_dtype(shop: Any) -> entries.Specimen:
    """Nothing serves yet; the goldens' provenance says floats, and the export takes whole numbers."""
    pipeline = shop.trained.signals
    shop.export(
        lambda raw: {"probabilities": pipeline.answer(tf.cast(raw, tf.float32))},
        networks.spec("x", pipeline.FEATURES, dtype=tf.int32),
        variables=pipeline.variables,
    )
    shop.probabilities(pipeline, pipeline.answer, version=1)
    return shop.specimen(pipeline, provenance=documents.of_version(shop.version(1), "serving_default"))


def _labels(*, stale: bool) -> common.Builder:
    """Names of classes come from a file: an asset that is no vocabulary of inputs."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.signals
        names = ["apple", "birch", "cedar", "damson"]
        trained, shipped = shop.file("trained.txt"), shop.file("labels.txt")
        trained.write_text("\n".join(names) + "\n")
        shipped.write_text("\n".join(sorted(names, reverse=True) if stale else names) + "\n")
        asset = tf.saved_model.Asset(str(shipped))

        def answer(raw: Any) -> Any:
            labels = tf.strings.split(tf.strings.strip(tf.io.read_file(asset.asset_path)), "\n")
            return {"label": tf.gather(labels, tf.argmax(pipeline.answer(raw), axis=1))}

        shop.export(
            answer, networks.spec("x", pipeline.FEATURES), variables=pipeline.variables, assets=[asset]
        )
        golden = np.array(names)[pipeline.golden.argmax(axis=1)]
        digest = documents.file_digest(trained)
        return shop.specimen(
            pipeline,
            golden={"label": golden},
            provenance={"assets": {"labels.txt": digest}, "vocabularies": []},
        )

    return build


ENTRIES: Final = (
    healthy("dense-labels", _labels(stale=False), "string outputs, from an asset"),
    fault(
        "dense-index-missing",
        _then(common.served("signals"), _without_index),
        "partial copies: variables.index is missing",
        Cause.VariablesMissing,
    ),
    fault(
        "text-index-missing",
        _then(text.sentences, _without_index),
        "partial copies: variables.index is missing",
        Cause.VariablesMissing,
        has_made_inputs=False,
    ),
    fault(
        "dense-truncated",
        _then(common.served("signals"), _cut_off),
        "truncated data",
        Cause.DataTruncated,
        loads=False,
    ),
    fault(
        "conv-truncated",
        _then(common.served("pictures"), _cut_off),
        "truncated data",
        Cause.DataTruncated,
        loads=False,
    ),
    fault(
        "conv-data-missing",
        _then(common.served("pictures"), _without_data),
        "partial copies: the data is missing",
        Cause.VariablesMissing,
        Cause.DataTruncated,
        why_several="a file that is missing is one cut off at its start",
        loads=False,
    ),
    fault(
        "dense-signature-missing", _other_signature("signals"), "missing signature", Cause.SignatureMissing
    ),
    fault(
        "conv-signature-missing", _other_signature("pictures"), "missing signature", Cause.SignatureMissing
    ),
    fault(
        "recurrent-renamed-input",
        _renamed_input,
        "missing signature: its input has another name",
        Cause.SignatureChanged,
        has_previous=True,
    ),
    fault("dense-wrong-dtype", _wrong_dtype, "wrong dtype", Cause.SignatureChanged),
    fault(
        "dense-op-missing",
        _then(common.served("signals"), _unknown_op(b"Softmax")),
        "an op missing in the server",
        Cause.OpMissing,
        loads=False,
    ),
    fault(
        "text-op-missing",
        _then(text.sentences, _unknown_op(b"StringLower")),
        "an op missing in the server",
        Cause.OpMissing,
        loads=False,
        has_made_inputs=False,
    ),
    fault("dense-stale-labels", _labels(stale=True), "a stale asset", Cause.StaleAsset),
)
