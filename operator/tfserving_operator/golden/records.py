"""Raw records: what a client sends, one for each prediction."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from tfserving_operator.golden import errors

Record = Any
"""One row as the predict API's `instances` take it: a number, a list, an object by input name, a string."""

MAX_BYTES: Final = 1 << 30
_FORMATS: Final = ".json, .jsonl, .yaml, .csv, .npy or .npz"


def read(path: Path) -> list[Record]:
    """Read a file of records, the format told by its suffix.

    A `.json` or `.yaml` file holds a list; `.jsonl` one record a line; `.csv` one object a line, numbers read as
    such; `.npy` an array, batch first; `.npz` an array for each input, batch first.

    Raises
    ------
    GoldenError
        When it holds no records.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise errors.GoldenError(f"{path} is larger than {MAX_BYTES} bytes: give a sample of the records")
        found = _read(path)
    except (OSError, ValueError, yaml.YAMLError, zipfile.BadZipFile) as error:
        raise errors.GoldenError(f"{path} cannot be read as records: {error}") from error
    if not isinstance(found, list) or not found:
        raise errors.GoldenError(
            f"{path} holds no records: write a list with one entry for each prediction, such as [[0.1, 0.2]]"
        )
    return found


def _read(path: Path) -> Any:
    match path.suffix.lower():
        case ".json":
            return json.loads(path.read_bytes())
        case ".jsonl" | ".ndjson":
            return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        case ".yaml" | ".yml":
            return yaml.safe_load(path.read_text("utf-8"))
        case ".csv":
            rows = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
            return [{name: _cell(cell) for name, cell in row.items()} for row in rows]
        case ".npy":
            return list(np.load(path, allow_pickle=False).tolist())
        case ".npz":
            return _from_arrays(path)
        case suffix:
            raise errors.GoldenError(
                f"{path}: records are {_FORMATS}, not {suffix or 'a file without suffix'}"
            )


def _cell(text: str | None) -> Any:
    if text is None:
        raise ValueError("a line has fewer cells than the first one")
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _from_arrays(path: Path) -> list[Record]:
    with np.load(path, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    counts = {array.shape[0] if array.ndim else 0 for array in columns.values()}
    if len(counts) != 1:
        raise ValueError("its arrays differ in their first axis, the record")
    if len(columns) == 1:
        return list(next(iter(columns.values())).tolist())
    return [{name: array[i].tolist() for name, array in columns.items()} for i in range(counts.pop())]


def columns(records: Sequence[Record], inputs: Sequence[str]) -> dict[str, list[Any]]:
    """Turn rows into columns by input name; a row without names is the only input's.

    Raises
    ------
    GoldenError
        When a record lacks an input.
    """
    if not _is_named(records[0]):
        if len(inputs) != 1:
            raise errors.GoldenError(
                f"the signature has the inputs {', '.join(inputs)}: write each record as an object with these names"
            )
        return {inputs[0]: list(records)}
    for i, record in enumerate(records):
        missing = [name for name in inputs if not _is_named(record) or name not in record]
        if missing:
            raise errors.GoldenError(f"record {i + 1} has no {', '.join(missing)}")
    return {name: [record[name] for record in records] for name in inputs}


def _is_named(record: Record) -> bool:
    return isinstance(record, Mapping) and set(record) != {"b64"}
