"""What goldens were recorded with, as `golden record` writes it beside the cases."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke.caseforms import InvalidCases, Provenance, Statistics

MAX_INPUTS: Final = 256
MAX_FEATURES: Final = 65_536
_STATISTICS: Final = ("mean", "std", "min", "max")


def parse(raw: Any, where: str) -> Provenance:
    """Read a provenance; keys that are not known are left out, since a later version may have written them.

    Raises
    ------
    InvalidCases
        When a key that is known holds something else.
    """
    if not isinstance(raw, Mapping):
        raise InvalidCases(f"{where}: provenance is no mapping; leave it as `golden record` wrote it")
    try:
        signature = raw.get("signature") or {}
        return Provenance(
            tensorflow_version=str(raw.get("tensorflowVersion", "")),
            model_digest=str(raw.get("modelDigest", "")),
            pipeline_digest=str(raw.get("pipelineDigest", "")),
            signature=_signature(signature) if signature else None,
            signature_name=str(signature.get("name", "")),
            inputs={str(name): _statistics(value) for name, value in _bounded(raw.get("inputs")).items()},
            assets={str(name): str(digest) for name, digest in _bounded(raw.get("assets")).items()},
            vocabularies=tuple(str(name) for name in raw.get("vocabularies") or ())[:MAX_INPUTS],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InvalidCases(
            f"{where}: provenance cannot be read: {error}; leave it as `golden record` wrote it"
        ) from None


def to_wire(provenance: Provenance) -> dict[str, Any]:
    """Write a provenance as JSON types, without what is absent; `parse` reads it back."""
    raw: dict[str, Any] = {
        "tensorflowVersion": provenance.tensorflow_version,
        "modelDigest": provenance.model_digest,
        "pipelineDigest": provenance.pipeline_digest,
        "inputs": {name: _statistics_to_wire(each) for name, each in provenance.inputs.items()},
        "assets": dict(provenance.assets),
        "vocabularies": list(provenance.vocabularies),
    }
    if provenance.signature is not None:
        raw["signature"] = {
            "name": provenance.signature_name,
            "method": provenance.signature.method,
            "inputs": _tensors_to_wire(provenance.signature.inputs),
            "outputs": _tensors_to_wire(provenance.signature.outputs),
        }
    return {key: value for key, value in raw.items() if value}


def _bounded(raw: Any) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or len(raw) > MAX_INPUTS:
        raise ValueError(f"at most {MAX_INPUTS} entries by name are read")
    return raw


def _signature(raw: Mapping[str, Any]) -> inspection.Signature:
    return inspection.Signature(
        method=str(raw.get("method", "")),
        inputs=_tensors(raw.get("inputs")),
        outputs=_tensors(raw.get("outputs")),
    )


def _tensors(raw: Any) -> dict[str, inspection.Tensor]:
    return {
        str(name): inspection.Tensor(dtype=str(tensor["dtype"]), shape=_shape(tensor.get("shape")))
        for name, tensor in _bounded(raw).items()
    }


def _shape(raw: Any) -> tuple[int, ...] | None:
    return None if raw is None else tuple(-1 if size is None else int(size) for size in raw)


def _tensors_to_wire(tensors: Mapping[str, inspection.Tensor]) -> dict[str, Any]:
    return {
        name: {"dtype": tensor.dtype, "shape": None if tensor.shape is None else list(tensor.shape)}
        for name, tensor in tensors.items()
    }


def _statistics(raw: Mapping[str, Any]) -> Statistics:
    mean, std, low, high = (_numbers(raw[key]) for key in _STATISTICS)
    if not len(mean) == len(std) == len(low) == len(high):
        raise ValueError("mean, std, min and max differ in length")
    return Statistics(mean=mean, std=std, min=low, max=high, count=int(raw["count"]))


def _numbers(raw: Sequence[Any]) -> tuple[float, ...]:
    if len(raw) > MAX_FEATURES:
        raise ValueError(f"statistics of more than {MAX_FEATURES} features are not read")
    return tuple(float(value) for value in raw)


def _statistics_to_wire(statistics: Statistics) -> dict[str, Any]:
    return {key: list(getattr(statistics, key)) for key in _STATISTICS} | {"count": statistics.count}
