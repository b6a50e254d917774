"""Rules for `spec.server.flags`.

The server itself prints "unknown argument" for a flag that it does not know, and starts: a typo would go
unseen. Names and types are those of tensorflow_model_server 2.20; those of earlier versions are a part of them.
"""

import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import Enum, auto
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import workloads
from tfserving_operator.core.validation.violations import Subject, Violation


class Kind(Enum):
    """What the value of a flag must be."""

    BOOL = auto()
    INT32 = auto()
    INT64 = auto()
    FLOAT = auto()
    TEXT = auto()


KNOWN: Final = {
    "allow_version_labels_for_unavailable_models": Kind.BOOL,
    "batching_parameters_file": Kind.TEXT,
    "enable_batching": Kind.BOOL,
    "enable_grpc_healthcheck_service": Kind.BOOL,
    "enable_model_warmup": Kind.BOOL,
    "enable_per_model_batching_parameters": Kind.BOOL,
    "enable_profiler": Kind.BOOL,
    "enable_serialization_as_tensor_content": Kind.BOOL,
    "enable_signature_method_name_check": Kind.BOOL,
    "file_system_poll_wait_seconds": Kind.INT32,
    "flush_filesystem_caches": Kind.BOOL,
    "grpc_channel_arguments": Kind.TEXT,
    "grpc_max_threads": Kind.INT32,
    "grpc_socket_path": Kind.TEXT,
    "load_retry_interval_micros": Kind.INT64,
    "max_num_load_retries": Kind.INT32,
    "mixed_precision": Kind.TEXT,
    "model_base_path": Kind.TEXT,
    "model_config_file": Kind.TEXT,
    "model_config_file_poll_wait_seconds": Kind.INT32,
    "model_name": Kind.TEXT,
    "monitoring_config_file": Kind.TEXT,
    "num_load_threads": Kind.INT32,
    "num_request_iterations_for_warmup": Kind.INT32,
    "num_tflite_interpreters_per_pool": Kind.INT32,
    "num_tflite_pools": Kind.INT32,
    "num_unload_threads": Kind.INT32,
    "per_process_gpu_memory_fraction": Kind.FLOAT,
    "platform_config_file": Kind.TEXT,
    "port": Kind.INT32,
    "prefer_tflite_model": Kind.BOOL,
    "remove_unused_fields_from_bundle_metagraph": Kind.BOOL,
    "rest_api_enable_cors_support": Kind.BOOL,
    "rest_api_num_threads": Kind.INT32,
    "rest_api_port": Kind.INT32,
    "rest_api_timeout_in_ms": Kind.INT32,
    "saved_model_tags": Kind.TEXT,
    "skip_initialize_tpu": Kind.BOOL,
    "ssl_config_file": Kind.TEXT,
    "tensorflow_inter_op_parallelism": Kind.INT64,
    "tensorflow_intra_op_parallelism": Kind.INT64,
    "tensorflow_session_config_file": Kind.TEXT,
    "tensorflow_session_parallelism": Kind.INT64,
    "thread_pool_factory_config_file": Kind.TEXT,
    "use_alts_credentials": Kind.BOOL,
    "version": Kind.BOOL,
    "xla_cpu_compilation_enabled": Kind.BOOL,
    "xla_gpu_compilation_enabled": Kind.BOOL,
}

_OWNED_REMEDIES: Final = {
    **dict.fromkeys(workloads.OWNED_FLAGS, "leave it out"),
    "model_name": "set spec.model.name",
    "model_base_path": "set spec.model.uri",
    "model_config_file": "set spec.model",
    "model_config_file_poll_wait_seconds": "set spec.model.version: a version is one revision",
    "platform_config_file": "leave it out: it would undo the flags for threads and batching",
    "tensorflow_session_parallelism": "set tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism",
    "version": "leave it out: the server would print its version and end",
}
"""Flags that the operator decides, and what to do instead."""

_MOST_THREADS: Final = 4096
"""More than a pod may have on any node; beyond 32 bits the server does not even start."""
_BOUNDS: Final = {
    # With one thread the REST server's event loop leaves none for requests, and it freezes
    "rest_api_num_threads": (2, _MOST_THREADS),
    "grpc_max_threads": (2, _MOST_THREADS),
    "tensorflow_inter_op_parallelism": (1, _MOST_THREADS),
    "tensorflow_intra_op_parallelism": (1, _MOST_THREADS),
    "num_tflite_pools": (1, _MOST_THREADS),
    "num_tflite_interpreters_per_pool": (1, _MOST_THREADS),
}
_MIXED_PRECISION: Final = "bfloat16"
_WRITABLE: Final = "/tmp/"  # noqa: S108 - in the pod
_SOCKET_PATH_BYTES: Final = 107
"""What fits into the address of a UNIX socket, with the zero at its end."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BITS: Final = {Kind.INT32: 32, Kind.INT64: 64}


def _violation(name: str, value: str, problem: str, remedy: str) -> Violation:
    return Violation(
        field=f"spec.server.flags.{name}",
        value=value,
        problem=problem,
        remedy=remedy,
        reason=reasons.Reason.InvalidSpec,
    )


def _is_fraction(value: str) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and value.isascii() and "_" not in value and value == value.strip()


def _expected(kind: Kind, value: str) -> str | None:
    """What the value should have been, None when it is right."""
    match kind:
        case Kind.BOOL:
            return None if value in {"true", "false"} else '"true" or "false"'
        case Kind.INT32 | Kind.INT64:
            limit = 2 ** (_BITS[kind] - 1)
            fits = _INTEGER.fullmatch(value) is not None and -limit <= int(value) < limit
            return None if fits else f'a whole number of {_BITS[kind]} bits, such as "2"'
        case Kind.FLOAT:
            return None if _is_fraction(value) else 'a number, such as "0.5"'
        case Kind.TEXT:
            return None if value.isprintable() else "printable characters only"


def _check_flag(name: str, value: str) -> Iterator[Violation]:
    kind = KNOWN.get(name)
    if kind is None:
        bare = name.lstrip("-").replace("-", "_")
        close = [bare] if bare in KNOWN else get_close_matches(bare, KNOWN, n=1)
        remedy = f"did you mean {close[0]}?" if close else "see tensorflow_model_server --help"
        yield _violation(name, value, f"{name} is not a flag of tensorflow_model_server", remedy)
    elif name in _OWNED_REMEDIES:
        yield _violation(name, value, f"{name} is set by the operator", _OWNED_REMEDIES[name])
    elif (expected := _expected(kind, value)) is not None:
        yield _violation(name, value, f'"{value}" is not what {name} takes', f"write {expected}")
    else:
        yield from _check_value(name, value)


def _check_value(name: str, value: str) -> Iterator[Violation]:
    """Values of the right type with which the server does not start, or does not do what is asked for."""
    if name in _BOUNDS:
        least, most = _BOUNDS[name]
        if int(value) < least:
            yield _violation(name, value, f"{value} is too small", f"write at least {least}")
        elif int(value) > most:
            yield _violation(name, value, f"{value} is too large", f"write at most {most}")
    elif name == "per_process_gpu_memory_fraction" and float(value) < 0:
        yield _violation(name, value, f"{value} is too small", "write at least 0")
    elif name == "mixed_precision" and value not in {"", _MIXED_PRECISION}:
        problem = f"the server knows no {value} and goes on without mixed precision"
        yield _violation(name, value, problem, f"write {_MIXED_PRECISION}, or leave it out")
    elif name == "grpc_socket_path" and value:
        if not value.startswith(_WRITABLE) or "/../" in value:
            problem = f"the server cannot write to {value}, and does not start"
            yield _violation(name, value, problem, f"write a path below {_WRITABLE}")
        elif len(value.encode()) > _SOCKET_PATH_BYTES:
            problem = "it is longer than the path of a socket can be, and the server does not start"
            yield _violation(name, value, problem, f"write at most {_SOCKET_PATH_BYTES} bytes")


def _check_combinations(flags: dict[str, str]) -> Iterator[Violation]:
    """Combinations with which the server ends at once, or of which it leaves one out without a word."""
    if flags.get("use_alts_credentials") == "true" and flags.get("ssl_config_file"):
        remedy = "leave out one of them"
        problem = "with use_alts_credentials the server does not read it"
        yield _violation("ssl_config_file", flags["ssl_config_file"], problem, remedy)


def _check_batching(flags: dict[str, str]) -> Iterator[Violation]:
    for name in ("batching_parameters_file", "enable_per_model_batching_parameters"):
        if flags.get(name) not in {None, "", "false"} and flags.get("enable_batching") != "true":
            yield _violation(name, flags[name], f"{name} needs batching", 'add enable_batching: "true"')


def check(subject: Subject) -> Iterator[Violation]:
    """What is wrong with the server's flags."""
    flags = subject.spec.server.flags
    for name, value in flags.items():
        yield from _check_flag(name, value)
    yield from _check_combinations(flags)
    if subject.spec.server.batching is None:
        yield from _check_batching(flags)
