"""The model's signature as served by `GET …/metadata`, and whether a case fits it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases

_MAX_TENSORS: Final = 256
_INTEGERS: Final = re.compile(r"DT_U?INT(4|8|16|32|64)")
FLOATS: Final = frozenset({"DT_FLOAT", "DT_DOUBLE"})
"""What the REST API takes; float16, bfloat16 and complex are answered with 501."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """What a server says of the version that it serves."""

    version: int
    signatures: Mapping[str, inspection.Signature]


def is_integer(dtype: str) -> bool:
    """Whether it is one of TensorFlow's integer types."""
    return bool(_INTEGERS.fullmatch(dtype))


def parse_metadata(raw: Any) -> Metadata | None:
    """Read the metadata route's answer; None when it is not TensorFlow Serving's."""
    try:
        served = raw["metadata"]["signature_def"]["signature_def"]
        return Metadata(
            version=int(raw["model_spec"]["version"]),
            signatures={str(name): _signature(value) for name, value in served.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _signature(raw: Mapping[str, Any]) -> inspection.Signature:
    return inspection.Signature(
        method=str(raw.get("method_name", "")),
        inputs=_tensors(raw.get("inputs") or {}),
        outputs=_tensors(raw.get("outputs") or {}),
    )


def _tensors(raw: Mapping[str, Any]) -> dict[str, inspection.Tensor]:
    if len(raw) > _MAX_TENSORS:
        raise ValueError("too many tensors")
    return {
        str(name): inspection.Tensor(dtype=str(t["dtype"]), shape=_shape(t["tensor_shape"]))
        for name, t in raw.items()
    }


def _shape(raw: Mapping[str, Any]) -> tuple[int, ...] | None:
    if raw.get("unknown_rank"):
        return None
    return tuple(int(dim["size"]) for dim in raw.get("dim") or ())


def misfit(case: cases.Case, signature: inspection.Signature) -> str:
    """Say in a sentence why a case does not fit a signature; "" when it does, or when that cannot be told."""
    names = signature.inputs.keys()
    given = _given(case, signature)
    if given is None:
        return (
            f"the signature has the inputs {_listed(names)}, and the case names none: write each by its name"
        )
    if names - given.keys():
        return f"it sends {_listed(given)}, and the signature's inputs are {_listed(names)}"
    if unknown := given.keys() - names:
        return f"the signature has no input {_listed(unknown)}; it has {_listed(names)}"
    for name, values in given.items():
        if problem := _tensor_misfit(values, signature.inputs[name]):
            return f"input {name}: {problem}"
    return ""


def _given(case: cases.Case, signature: inspection.Signature) -> Mapping[str, Any] | None:
    """The case's values by input name, batch first; None when they have no names and there are several inputs."""
    if case.instances is not None:
        first = case.instances[0]
        if isinstance(first, Mapping) and set(first) != {"b64"}:
            rows = [row for row in case.instances if isinstance(row, Mapping)]
            return {str(key): [row.get(key) for row in rows] for key in first}
        values: Any = case.instances
    elif isinstance(case.inputs, Mapping) and set(case.inputs) != {"b64"}:
        return {str(key): value for key, value in case.inputs.items()}
    else:
        values = case.inputs
    return {next(iter(signature.inputs)): values} if len(signature.inputs) == 1 else None


def _tensor_misfit(values: Any, tensor: inspection.Tensor) -> str:
    try:
        array = np.asarray(values)
    except ValueError:
        return "its rows differ in shape"
    kind = array.dtype.kind
    if kind == "O":
        return ""
    if kind == "U" and tensor.dtype != "DT_STRING":
        return f"it is text, and the model takes {tensor.dtype}"
    if kind in "fiub" and tensor.dtype == "DT_STRING":
        return "it is numbers, and the model takes strings"
    if kind == "f" and is_integer(tensor.dtype):
        return f"it has a fraction, and the model takes {tensor.dtype}: write 1 instead of 1.0"
    if tensor.shape is None or kind == "U":
        return ""
    fits = array.ndim == len(tensor.shape) and all(
        want in (-1, have) for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    return (
        ""
        if fits
        else f"its shape is {list(array.shape)}, batch first, and the model takes {list(tensor.shape)}"
    )


def _listed(names: Any) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "none"
