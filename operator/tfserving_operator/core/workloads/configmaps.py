"""ConfigMaps of a revision: what the server reads, and the smoke input that it passed with."""

import base64
from typing import Any

from google.protobuf import text_encoding

from tfserving_operator.api import constants, types
from tfserving_operator.core import snapshot
from tfserving_operator.core.smoke import cases
from tfserving_operator.core.workloads import flags, names

_MONITORING = """prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def _text(value: str) -> str:
    return f'"{text_encoding.CEscape(value.encode(), as_utf8=True)}"'


def _models_config(*, name: str, path: str, version: int) -> str:
    return f"""model_config_list {{
  config {{
    name: {_text(name)}
    base_path: {_text(path)}
    model_platform: "tensorflow"
    model_version_policy {{
      specific {{
        versions: {version}
      }}
    }}
  }}
}}
"""


def _batching_config(batching: types.Batching, *, threads: int) -> str:
    """The parameters file; what the user left out is left to the server, but for what it would take from the node."""
    values = {
        "max_batch_size": batching.max_batch_size,
        "batch_timeout_micros": batching.batch_timeout_micros,
        "max_enqueued_batches": batching.max_enqueued_batches,
        "num_batch_threads": batching.num_batch_threads or threads,
    }
    lines = [f"{name} {{ value: {value} }}" for name, value in values.items() if value is not None]
    lines += [f"allowed_batch_sizes: {size}" for size in batching.allowed_batch_sizes]
    return "\n".join(lines) + "\n"


def build_config_map(*, owner: snapshot.Owner, spec: types.Spec, revision: str) -> dict[str, Any]:
    """The ConfigMap `<revision>`: exactly one version of one model, Prometheus metrics, and batching if asked for."""
    data = {
        names.MODELS_CONFIG: _models_config(
            name=names.model_name(owner, spec), path=names.model_path(spec), version=spec.model.version
        ),
        names.MONITORING_CONFIG: _MONITORING,
    }
    if spec.server.batching is not None:
        threads = flags.cores(spec)
        data[names.BATCHING_CONFIG] = _batching_config(spec.server.batching, threads=threads)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.metadata(owner, revision, revision=revision),
        "immutable": True,
        "data": data,
    }


def build_pin(
    *,
    owner: snapshot.Owner,
    revision: str,
    pinned_cases: bytes,
    cases_digest: str,
    model_digest: str,
    input_digest: str = "",
    model_bytes: int | None = None,
) -> dict[str, Any]:
    """The ConfigMap `<revision>-cases`: the record that a revision passed, and with what.

    Made inputs leave no cases behind, only their digest. The inspector of later pods compares the model's
    digest with the one in here.
    """
    meta = names.metadata(owner, names.pin_name(revision), revision=revision)
    meta["annotations"] = {
        constants.ANNOTATION_CASES_DIGEST: cases_digest,
        constants.ANNOTATION_MODEL_DIGEST: model_digest,
    }
    if input_digest:
        meta["annotations"][constants.ANNOTATION_INPUT_DIGEST] = input_digest
    if model_bytes is not None:
        meta["annotations"][constants.ANNOTATION_MODEL_BYTES] = str(model_bytes)
    is_packed = cases.is_compressed(pinned_cases)
    data = {names.CASES_KEY: pinned_cases.decode()} if pinned_cases and not is_packed else {}
    if model_digest:
        data[names.DIGEST_KEY] = model_digest
    pin: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "immutable": True}
    if is_packed:
        pin["binaryData"] = {names.COMPRESSED_CASES_KEY: base64.b64encode(pinned_cases).decode()}
    return pin | {"data": data}
