"""A specimen as a document of cases, as `golden record` writes it."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tests.zoo import entries

_VOCABULARY_SUFFIX = ".vocab"


def write(specimen: entries.Specimen, exported: Path, entry: entries.Entry) -> dict[str, Any]:
    """The document; goldens that are not finite or all alike would make a test that shows nothing."""
    if sum(specimen.groups) != len(specimen.rows):
        raise ValueError(f"{entry.name}: {len(specimen.rows)} rows in groups of {specimen.groups}")
    for name, values in specimen.golden.items():
        array = np.asarray(values)
        if len(array) != len(specimen.rows):
            raise ValueError(f"{entry.name}: golden {name} has {len(array)} rows of {len(specimen.rows)}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{entry.name}: golden {name} is not finite")
    if entry.kind is entries.Kind.Fault and specimen.golden:
        rows = {
            np.asarray(next(iter(specimen.golden.values())))[i].tobytes() for i in range(len(specimen.rows))
        }
        if len(rows) < 2:
            raise ValueError(f"{entry.name}: its goldens are all alike")
    cases = [] if specimen.form is entries.Form.Archive else list(_cases(specimen))
    return {"provenance": _provenance(specimen, exported, entry), "cases": cases}


def archive(specimen: entries.Specimen) -> bytes:
    """The cases as an npz file: arrays by input, and goldens."""
    written = io.BytesIO()
    arrays = {name: np.asarray(values) for name, values in specimen.records.items()}
    goldens = {f"expect.{name}": np.asarray(values) for name, values in specimen.golden.items()}
    names = np.array([f"case-{i}" for i in range(len(specimen.rows))])
    np.savez_compressed(written, names=names, **arrays, **goldens)
    return written.getvalue()


def _cases(specimen: entries.Specimen) -> Iterator[dict[str, Any]]:
    start = 0
    for number, size in enumerate(specimen.groups):
        rows = list(specimen.rows[start : start + size])
        found: dict[str, Any] = {"name": f"case-{number}", **_rows(specimen.form, rows)}
        if specimen.golden:
            found["expect"] = _expect(specimen, slice(start, start + size))
        start += size
        yield found


def _rows(form: entries.Form, rows: list[Any]) -> dict[str, Any]:
    match form:
        case entries.Form.Columnar:
            is_named = isinstance(rows[0], Mapping)
            return {"inputs": {key: [row[key] for row in rows] for key in rows[0]} if is_named else rows}
        case entries.Form.Images:
            return {"images": rows}
        case entries.Form.Instances | entries.Form.Archive:
            return {"instances": rows}


def _expect(specimen: entries.Specimen, rows: slice) -> dict[str, Any]:
    expect: dict[str, Any] = {"rtol": specimen.rtol, "atol": specimen.atol}
    if specimen.top_k:
        ((name, values),) = specimen.golden.items()
        order = np.argsort(-np.asarray(values)[rows], axis=1, kind="stable")[:, : specimen.top_k]
        return expect | {"topK": {"output": name, "k": specimen.top_k, "classes": order.tolist()}}
    return expect | {"outputs": {n: _values(np.asarray(v)[rows]) for n, v in specimen.golden.items()}}


def _values(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.kind in "SO":
        return np.char.decode(array.astype(bytes), "utf-8").tolist()
    return array.tolist()


def _provenance(specimen: entries.Specimen, exported: Path, entry: entries.Entry) -> dict[str, Any]:
    """Read off the export, where the specimen does not say otherwise: goldens come from training, not from it."""
    found: dict[str, Any] = {
        "tensorflowVersion": "2.21.0",
        "modelDigest": f"sha256:{hashlib.sha256(entry.name.encode()).hexdigest()}",
        "pipelineDigest": f"sha256:{hashlib.sha256(entry.architecture.encode()).hexdigest()}",
        "inputs": {
            name: _statistics(values)
            for name, values in specimen.records.items()
            if specimen.form is not entries.Form.Archive
        },
    }
    if signature := _signature(exported, entry.signature_name):
        found["signature"] = {"name": entry.signature_name, **signature}
    assets = sorted(path for path in (exported / "assets").glob("*") if path.is_file())
    found["assets"] = {path.name: file_digest(path) for path in assets}
    found["vocabularies"] = [path.name for path in assets if path.suffix == _VOCABULARY_SUFFIX]
    return found | dict(specimen.provenance)


def file_digest(path: Path) -> str:
    """As the provenance writes it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _statistics(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    numbers = {"mean": flat.mean(0), "std": flat.std(0), "min": flat.min(0), "max": flat.max(0)}
    return {key: value.tolist() for key, value in numbers.items()} | {"count": len(values)}


def _signature(exported: Path, name: str) -> dict[str, Any] | None:
    """As TensorFlow's own protos say it, so that the inspector is not tested with itself."""
    path = exported / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    known = saved.meta_graphs[0].signature_def
    if name not in known:
        return None
    return {"inputs": _tensors(known[name].inputs), "outputs": _tensors(known[name].outputs)}


def _tensors(infos: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "dtype": types_pb2.DataType.Name(info.dtype),
            "shape": None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in infos.items()
    }


def of_version(exported: Path, signature: str) -> dict[str, Any]:
    """The provenance's signature, read off another export than the candidate's."""
    return {"signature": {"name": signature, **(_signature(exported, signature) or {})}}
