"""Predict requests: the tensors of a JSON document, in rows or in columns."""

import enum
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from local.modelserver import dtypes, errors, jsonarrays, jsondocs, savedmodel, tensors


class Format(enum.Enum):
    """How a request lays out its tensors; the answer is laid out alike."""

    ROW = "instances"
    COLUMNAR = "inputs"


def read_signature_name(document: Mapping[str, Any]) -> str:
    """Return the signature that a request names, or the empty string."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise errors.invalid_argument(
            f"JSON Value: {jsondocs.quoted(document)} not formatted correctly."
            " 'signature_name' key must be a string value."
        )
    return name


def read_tensors(
    document: Mapping[str, Any], signature: savedmodel.Signature
) -> tuple[Format, dict[str, tensors.Tensor]]:
    """Return the layout and the input tensors of a request."""
    if "instances" in document:
        instances = document["instances"]
        problem = None
        if "inputs" in document:
            problem = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        elif not isinstance(instances, list):
            problem = "Excepting 'instances' to be an list/array"
        elif not instances:
            problem = "No values in 'instances' array"
        if problem:
            raise errors.invalid_argument(f"JSON Value: {jsondocs.quoted(document)} {problem}")
        return Format.ROW, _read_rows(instances, signature.inputs)
    if "inputs" in document:
        return Format.COLUMNAR, _read_columns(document["inputs"], signature.inputs)
    raise errors.invalid_argument("Missing 'inputs' or 'instances' key")


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not jsonarrays.is_base64(value)


def _tensor(info: savedmodel.TensorInfo, array: jsonarrays.Array) -> tensors.Tensor:
    return tensors.Tensor(dtype=dtypes.DType(info.dtype), array=array)


def _read_rows(instances: list[Any], infos: Mapping[str, savedmodel.TensorInfo]) -> dict[str, tensors.Tensor]:
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise errors.invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    are_named = _is_named(instances[0])
    if are_named:
        are_regular = all(type(row) is dict and row.keys() == infos.keys() for row in instances)
        columns = {name: [row[name] for row in instances] for name in infos} if are_regular else {}
    else:
        columns = dict.fromkeys(itertools.islice(infos, 1), instances)
    read = {}
    for name, column in columns.items():
        array = jsonarrays.read_at_once(column, infos[name].dtype)
        if array is None:
            break
        read[name] = _tensor(infos[name], array)
    if len(read) == len(infos):
        return read
    return _read_rows_slowly(instances, infos, are_named=are_named)


def _read_rows_slowly(
    instances: list[Any], infos: Mapping[str, savedmodel.TensorInfo], *, are_named: bool
) -> dict[str, tensors.Tensor]:
    rows: dict[str, list[jsonarrays.Array]] = {}
    for number, row in enumerate(instances):
        if are_named != _is_named(row):
            raise errors.invalid_argument(
                f"Expecting object but got list at item {number} of input list"
                if are_named
                else f"Expecting value/list but got object at item {number} of input list"
            )
        for name, value in row.items() if are_named else ((next(iter(infos)), row),):
            try:
                _add_row(rows.setdefault(name, []), value, name, infos)
            except errors.ServingError as error:
                key = f" key: {name}" if are_named else ""
                raise errors.invalid_argument(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error.status_text}"
                ) from error
        if are_named and row.keys() != infos.keys():
            raise errors.invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: {jsondocs.quoted(row)}"
                f" keys must be equal to: {','.join(infos)}"
            )
    _check_are_all(rows, infos)
    return {name: _tensor(infos[name], np.stack(rows[name])) for name in infos}


def _check_are_all(given: Mapping[str, Any], infos: Mapping[str, savedmodel.TensorInfo]) -> None:
    # A lone base64 object passes for an object with names until here.
    if given.keys() != infos.keys():
        have, want, missing = (
            f"{{{','.join(sorted(names))}}}" for names in (given, infos, infos.keys() - given.keys())
        )
        raise errors.invalid_argument(
            f"input size does not match signature: {len(given)}!={len(infos)} len({have}) != len({want})."
            f" Sent extra: {{}}. Missing but required: {missing}."
        )


def _add_row(
    rows: list[jsonarrays.Array], value: Any, name: str, infos: Mapping[str, savedmodel.TensorInfo]
) -> None:
    if name not in infos:
        raise errors.invalid_argument(f"JSON object: does not have named input: {name}")
    array = jsonarrays.read_slowly(value, infos[name].dtype)
    if rows and rows[0].size != array.size:
        raise errors.invalid_argument(f"Expecting tensor size: {rows[0].size} but got: {array.size}")
    if rows and rows[0].shape != array.shape:
        want, got = (f"[{','.join(map(str, shape))}]" for shape in (rows[0].shape, array.shape))
        raise errors.invalid_argument(f"Expecting shape {want} but got: {got}")
    rows.append(array)


def _read_columns(inputs: Any, infos: Mapping[str, savedmodel.TensorInfo]) -> dict[str, tensors.Tensor]:
    if _is_named(inputs):
        read = {}
        for name, info in infos.items():
            if name not in inputs:
                raise errors.invalid_argument(f"Missing named input: {name} in 'inputs' object.")
            read[name] = _tensor(info, jsonarrays.read(inputs[name], info.dtype))
        return read
    if len(infos) > 1:
        raise errors.invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
            " tensorinfo_map"
        )
    ((name, info),) = infos.items()
    return {name: _tensor(info, jsonarrays.read(inputs, info.dtype))}
