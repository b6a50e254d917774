"""Customers in named columns: order, names, defaults, scalers."""

import base64
from typing import Any, Final

import numpy as np

from tests.zoo import entries, lazily
from tests.zoo.families import common
from tfserving_operator.core.smoke.causes import Cause

documents: Any = lazily.Module("tests.zoo.documents")
tf: Any = lazily.Module("tensorflow")
networks: Any = lazily.Module("tests.zoo.networks")
tables: Any = lazily.Module("tests.zoo.tables")
fault, healthy = entries.fault, entries.healthy


def named(shop: Any, change: Any = None, **more: Any) -> entries.Specimen:
    """Export a model with an input for each feature; `change` maps the joined columns to probabilities."""
    pipeline = shop.trained.customers
    chosen = change or (lambda p, raw: p.answer(raw))

    def answer(*columns: Any) -> Any:
        return {"probabilities": chosen(pipeline, tf.stack(columns, axis=1))}

    shop.export(answer, *pipeline.specs(), variables=pipeline.variables)
    return shop.specimen(pipeline, **({"rows": pipeline.named_rows, "records": pipeline.records} | more))


def _gathered(order: tuple[int, ...]) -> Any:
    return lambda pipeline, raw: pipeline.answer(tf.gather(raw, order, axis=1))


def _sorted_columns(pipeline: Any, raw: Any) -> Any:
    """A data frame came back with its columns sorted by name."""
    return pipeline.answer(tf.gather(raw, np.argsort(tables.NAMES), axis=1))


def parsed(prefix: str = "") -> common.Builder:
    """A model of serialized examples; with a prefix it reads features that nobody sends, and takes defaults."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.customers

        def answer(serialized: Any) -> Any:
            features = {
                prefix + name: tf.io.FixedLenFeature([], tf.float32, default_value=0.0)
                for name in tables.NAMES
            }
            read = tf.io.parse_example(serialized, features)
            raw = tf.stack([read[prefix + name] for name in tables.NAMES], axis=1)
            return {"probabilities": pipeline.answer(raw)}

        shop.export(answer, networks.spec("examples", dtype=tf.string), variables=pipeline.variables)
        rows = [{"b64": base64.b64encode(_example(row)).decode()} for row in pipeline.named_rows]
        return shop.specimen(pipeline, rows=rows, records=pipeline.records)

    return build


def _example(row: dict[str, float]) -> bytes:
    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for name, value in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _other_scaler(pipeline: Any, raw: Any) -> Any:
    """The scaler of another country: amounts in other money, younger customers."""
    factor = np.array([0.8, 3.2, 2.1, 1.3, 0.6, 1.0], np.float32)
    return tf.nn.softmax(pipeline.logits((raw - pipeline.mean * factor) / (pipeline.deviation * factor)))


def scaled_by_file(*, stale: bool) -> common.Builder:
    """The scaler is an asset, a file of means and deviations."""

    def build(shop: Any) -> entries.Specimen:
        pipeline = shop.trained.customers
        trained, shipped = shop.file("trained.csv"), shop.file("scaler.csv")
        _write_scaler(trained, pipeline.mean, pipeline.deviation)
        _write_scaler(
            shipped, pipeline.mean * (1.3 if stale else 1.0), pipeline.deviation * (0.7 if stale else 1.0)
        )
        asset = tf.saved_model.Asset(str(shipped))

        def answer(*columns: Any) -> Any:
            text = tf.strings.split(tf.strings.strip(tf.io.read_file(asset.asset_path)), "\n")
            rows = tf.strings.to_number(tf.strings.split(text, ",").to_tensor(shape=[2, len(tables.NAMES)]))
            prepared = (tf.stack(columns, axis=1) - rows[0]) / rows[1]
            return {"probabilities": tf.nn.softmax(pipeline.logits(prepared))}

        shop.export(answer, *pipeline.specs(), variables=pipeline.variables, assets=[asset])
        digest = documents.file_digest(trained)
        return shop.specimen(
            pipeline,
            rows=pipeline.named_rows,
            records=pipeline.records,
            provenance={"assets": {"scaler.csv": digest}, "vocabularies": []},
        )

    return build


def _write_scaler(path: Any, mean: Any, deviation: Any) -> None:
    lines = [",".join(str(float(np.float32(v))) for v in values) for values in (mean, deviation)]
    path.write_text("\n".join(lines) + "\n")


def _unscaled(pipeline: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.logits(raw))


def _twice(pipeline: Any, raw: Any) -> Any:
    return tf.nn.softmax(pipeline.logits(pipeline.prepare(pipeline.prepare(raw))))


def _whole(pipeline: Any, raw: Any) -> Any:
    return pipeline.answer(tf.cast(tf.cast(raw, tf.int64), tf.float32))


def _example_column(pipeline: Any, raw: Any) -> Any:
    """Only the size of the batch is read."""
    return pipeline.answer(tf.tile(tf.constant(pipeline.train_x[:1]), [tf.shape(raw)[0], 1]))


def _ratio(pipeline: Any, raw: Any) -> Any:
    """A ratio is taken of a difference that is negative for some."""
    root = tf.sqrt(raw[:, 1:2] - 52_000.0)
    return pipeline.answer(raw) + 0.0 * root


def _half(pipeline: Any, raw: Any) -> Any:
    """Amounts above 65,504 are infinite, those below lose their last digits."""
    return pipeline.answer(tf.cast(tf.cast(raw, tf.bfloat16), tf.float32))


def _plans(shop: Any, *, one_hot: bool) -> entries.Specimen:
    """Categories as a list of indices, averaged; with `one_hot`, clients send a vector of zeros and a one instead."""
    embeddings = networks.variable(shop.random.normal(0.0, 1.0, (7, 4)))
    head = networks.variable(shop.random.normal(0.0, 2.0, (4, 3)))

    def answer(plans: Any) -> Any:
        return {"probabilities": tf.nn.softmax(tf.reduce_mean(tf.gather(embeddings, plans), axis=1) @ head)}

    shop.export(answer, networks.spec("plans", None, dtype=tf.int64), variables=[embeddings, head])
    index = np.arange(8) % 7
    rows = np.eye(7, dtype=np.int64)[index] if one_hot else index[:, None]
    golden = np.asarray(answer(tf.constant(index[:, None]))["probabilities"])
    return entries.Specimen(
        rows=rows.tolist(), golden={"probabilities": golden}, records={"plans": index[:, None]}
    )


def _wrong_dtype(shop: Any) -> entries.Specimen:
    """The new version takes whole numbers where clients send floats, as the active one takes them."""
    pipeline = shop.trained.customers
    specs = [networks.spec(name, dtype=tf.int64) for name in tables.NAMES]
    shop.export(
        lambda *columns: {"probabilities": pipeline.answer(tf.cast(tf.stack(columns, axis=1), tf.float32))},
        *specs,
        variables=pipeline.variables,
    )
    shop.export(
        lambda *columns: {"probabilities": pipeline.answer(tf.stack(columns, axis=1))},
        *pipeline.specs(),
        variables=pipeline.variables,
        version=1,
    )
    return shop.specimen(
        pipeline,
        rows=pipeline.named_rows,
        records=pipeline.records,
        provenance=documents.of_version(shop.version(1), "serving_default"),
    )


ENTRIES: Final = (
    healthy("tabular-named", named, "an input for each feature"),
    healthy(
        "tabular-examples",
        parsed(),
        "serialized examples, all of whose features are sent",
        has_made_inputs=False,
    ),
    healthy("tabular-scaler-file", scaled_by_file(stale=False), "a scaler in an asset"),
    healthy(
        "tabular-categories",
        lambda shop: _plans(shop, one_hot=False),
        "categories by index, an embedding look-up",
    ),
    fault(
        "tabular-feature-order",
        lambda shop: named(shop, _sorted_columns),
        "features mapped in the wrong order",
        Cause.FeatureOrder,
    ),
    fault(
        "tabular-wrong-name",
        lambda shop: named(shop, _gathered((0, 2, 1, 3, 4, 5))),
        "features mapped to the wrong name",
        Cause.FeatureOrder,
    ),
    fault(
        "tabular-defaulted",
        parsed("customer_"),
        "features all defaulted to zero",
        Cause.FeaturesDefaulted,
        same_output=True,
        has_made_inputs=False,
    ),
    fault("tabular-unscaled", lambda shop: named(shop, _unscaled), "scaler missing", Cause.UnscaledInput),
    fault(
        "tabular-scaled-twice", lambda shop: named(shop, _twice), "scaler applied twice", Cause.ScaledTwice
    ),
    fault(
        "tabular-scaler-of-other-data",
        lambda shop: named(shop, _other_scaler),
        "scaler fitted on other data",
        Cause.ScalerMismatch,
    ),
    fault("tabular-stale-scaler", scaled_by_file(stale=True), "a stale asset", Cause.StaleAsset),
    fault(
        "tabular-int-truncation", lambda shop: named(shop, _whole), "int truncation", Cause.IntegerTruncation
    ),
    fault("tabular-bfloat16", lambda shop: named(shop, _half), "float16 and float32", Cause.LowPrecision),
    fault(
        "tabular-nan-for-some",
        lambda shop: named(shop, _ratio),
        "NaN, only for some inputs",
        Cause.NotANumber,
    ),
    fault(
        "tabular-disconnected",
        lambda shop: named(shop, _example_column),
        "input placeholder disconnected",
        Cause.InputDisconnected,
        same_output=True,
    ),
    fault(
        "tabular-category-one-hot",
        lambda shop: _plans(shop, one_hot=True),
        "features mapped in the wrong order: a one-hot vector where an index was",
        Cause.OneHotIndex,
    ),
    fault("tabular-wrong-dtype", _wrong_dtype, "wrong dtype", Cause.SignatureChanged, has_previous=True),
    fault(
        "tabular-label-order",
        lambda shop: named(shop, lambda p, raw: p.answer(raw)[:, ::-1]),
        "label order changed",
        Cause.LabelOrder,
    ),
)
