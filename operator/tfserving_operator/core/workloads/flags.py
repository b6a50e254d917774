"""The command line of tensorflow_model_server."""

import math
from typing import Final

from tfserving_operator.api import constants, types
from tfserving_operator.core import quantities
from tfserving_operator.core.workloads import names

SERVER_COMMAND: Final = "/usr/bin/tensorflow_model_server"
"""Started directly: the image's entrypoint is a bash script that stays in between and hides how the server ended."""

_ASSUMED_CORES: Final = 16
"""Where there is neither a limit nor a request to count the server's threads from."""
_MIN_THREADS: Final = 16
"""Of REST and gRPC each: a thread waits for as long as its request runs, and the probe needs one too."""
_MOST_FOR_BATCHES: Final = 1024
"""A node lets a pod have a few thousand threads. Whoever has larger batches sends many rows in one request."""

OWNED: Final = {
    "port": str(constants.PORT_GRPC),
    "rest_api_port": str(constants.PORT_REST),
    "model_config_file": f"{names.CONFIG_PATH}/{names.MODELS_CONFIG}",
    "monitoring_config_file": f"{names.CONFIG_PATH}/{names.MONITORING_CONFIG}",
    # A cleanup of the version's folder must not unload what serves
    "file_system_poll_wait_seconds": "0",
    # It listens on the gRPC port, for anybody
    "enable_profiler": "false",
    # A load that fails shows at once, rather than after five minutes
    "max_num_load_retries": "0",
    "num_load_threads": "1",
    "num_unload_threads": "1",
    # gRPC clients follow a flip of the Service within this time
    "grpc_channel_arguments": "grpc.max_connection_age_ms=30000,grpc.max_connection_age_grace_ms=10000",
}
"""Flags whose values are the operator's; the user's are refused by validation."""


def _batching_flags(spec: types.Spec) -> dict[str, str]:
    if spec.server.batching is None:
        return {}
    return {
        "enable_batching": "true",
        "batching_parameters_file": f"{names.CONFIG_PATH}/{names.BATCHING_CONFIG}",
    }


def cpu_limit(spec: types.Spec) -> int | None:
    """Whole cores that the limit allows, at least 1; None without one that can be read."""
    limit = spec.resources.limits.get("cpu")
    if limit is None or not quantities.is_quantity(limit):
        return None
    return max(1, math.ceil(quantities.parse_quantity(limit)))


def cores(spec: types.Spec) -> int:
    """Whole cores to count threads from: the limit, else an assumption."""
    return cpu_limit(spec) or _ASSUMED_CORES


def request_threads(spec: types.Spec) -> int:
    """Threads of REST and of gRPC: each waits with its request, for as long as a batch fills and runs."""
    batch = spec.server.batching.max_batch_size if spec.server.batching is not None else 0
    # One batch fills while another runs, and the probe still finds a thread
    return max(_MIN_THREADS, 4 * cores(spec), min(2 * batch, _MOST_FOR_BATCHES))


def _thread_flags(spec: types.Spec) -> dict[str, str]:
    """Threads from the CPU limit: the server itself looks at the node's cores."""
    limit = cpu_limit(spec)
    requests = str(request_threads(spec))
    flags = {"rest_api_num_threads": requests, "grpc_max_threads": requests}
    if limit is not None:
        flags["tensorflow_intra_op_parallelism"] = flags["tensorflow_inter_op_parallelism"] = str(limit)
    return flags


def keeps_weights_elsewhere(spec: types.Spec) -> bool:
    """Whether the weights take none of the container's own memory: on a device, or mapped from a TFLite file."""
    devices = any("/" in name for name in spec.resources.limits)
    return devices or spec.server.flags.get("prefer_tflite_model", "false").lower() not in {"false", "0"}


def build_arguments(spec: types.Spec) -> list[str]:
    """All flags as `--name=value`, in one order: ours, then what the user sets or overrides."""
    flags = {**_thread_flags(spec), **spec.server.flags, **_batching_flags(spec), **OWNED}
    return [f"--{name}={value}" for name, value in sorted(flags.items())]
