"""The command line of ``tensorflow_model_server``: every flag by name, type and default."""

import dataclasses
import enum
import os
import re
from collections.abc import Sequence
from typing import Final

from local.modelserver import logs


class Kind(enum.StrEnum):
    """The type of a flag's value, as the usage text names it."""

    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"
    STRING = "string"
    FLOAT = "float"


def schedulable_cpus() -> int:
    """Return the CPUs of the affinity mask; a container's quota is not seen, as in the original."""
    return len(os.sched_getaffinity(0))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Flags:
    """The values of all flags; the attributes are the flags' names."""

    port: int = 8500
    grpc_socket_path: str = ""
    rest_api_port: int = 0
    rest_api_num_threads: int = dataclasses.field(default_factory=lambda: 4 * schedulable_cpus())
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    enable_batching: bool = False
    allow_version_labels_for_unavailable_models: bool = False
    batching_parameters_file: str = ""
    enable_per_model_batching_parameters: bool = False
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    model_name: str = "default"
    model_base_path: str = ""
    num_load_threads: int = 0
    num_unload_threads: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    file_system_poll_wait_seconds: int = 1
    flush_filesystem_caches: bool = True
    tensorflow_session_parallelism: int = 0
    tensorflow_session_config_file: str = ""
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    use_alts_credentials: bool = False
    ssl_config_file: str = ""
    platform_config_file: str = ""
    per_process_gpu_memory_fraction: float = 0.0
    saved_model_tags: str = "serve"
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = dataclasses.field(default_factory=lambda: 4 * schedulable_cpus())
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    version: bool = False
    monitoring_config_file: str = ""
    remove_unused_fields_from_bundle_metagraph: bool = True
    prefer_tflite_model: bool = False
    num_tflite_pools: int = dataclasses.field(default_factory=schedulable_cpus)
    num_tflite_interpreters_per_pool: int = 1
    enable_signature_method_name_check: bool = False
    xla_cpu_compilation_enabled: bool = False
    xla_gpu_compilation_enabled: bool = False
    mixed_precision: str = ""
    skip_initialize_tpu: bool = False
    enable_profiler: bool = True
    thread_pool_factory_config_file: str = ""
    enable_grpc_healthcheck_service: bool = False
    enable_serialization_as_tensor_content: bool = False


WITHOUT_EFFECT: Final = {
    "flush_filesystem_caches": "local files have no cache of the runtime's own",
    "remove_unused_fields_from_bundle_metagraph": "of a loaded graph only the signatures are ever kept",
    "use_alts_credentials": "only exists on Google's machines",
    "num_tflite_interpreters_per_pool": "requests are not split over several interpreters",
    "skip_initialize_tpu": "there is no TPU",
    "thread_pool_factory_config_file": "the original has no factory built in either",
}
"""The flags that are accepted and change nothing, and why; ``per_process_gpu_memory_fraction`` has no GPU to act on."""
_INT64_FLAGS: Final = frozenset(
    {
        "load_retry_interval_micros",
        "tensorflow_session_parallelism",
        "tensorflow_intra_op_parallelism",
        "tensorflow_inter_op_parallelism",
    }
)
_INTEGER: Final = re.compile(r"\s*[+-]?\d+", re.ASCII)
_FLOAT: Final = re.compile(
    r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a command line says.

    Attributes
    ----------
    flags
        The values; defaults for what is not given.
    is_valid
        Whether every value fits its flag's type.
    unknown
        The arguments that no flag takes.
    """

    flags: Flags
    is_valid: bool
    unknown: tuple[str, ...]


def kinds() -> dict[str, Kind]:
    """Return every flag's type by its name."""
    return {field.name: _kind(field.name, str(field.type)) for field in dataclasses.fields(Flags)}


def _kind(name: str, annotation: str) -> Kind:
    if name in _INT64_FLAGS:
        return Kind.INT64
    return {"int": Kind.INT32, "bool": Kind.BOOL, "str": Kind.STRING, "float": Kind.FLOAT}[
        annotation.removeprefix("<class '").removesuffix("'>")
    ]


def parse(arguments: Sequence[str]) -> Parsed:
    """Read a command line: ``--name=value`` only, booleans also bare; the last of a name wins."""
    flag_kinds = kinds()
    values: dict[str, int | float | bool | str] = {}
    unknown: list[str] = []
    is_valid = True
    for position, argument in enumerate(arguments):
        if argument == "--":
            unknown.extend(arguments[position:])
            break
        name, has_value, text = argument.removeprefix("--").partition("=")
        kind = flag_kinds.get(name) if argument.startswith("--") else None
        if kind is None or (not has_value and kind is not Kind.BOOL):
            unknown.append(argument)
            continue
        value = _value(kind, text if has_value else "true")
        if value is None:
            logs.log(
                "command_line_flags.cc",
                f"Couldn't interpret value {text} for flag {name}.",
                severity=logs.Severity.ERROR,
            )
            is_valid = False
            continue
        values[name] = value
    is_valid = is_valid and unknown[:1] != ["--help"]
    return Parsed(flags=Flags(**values), is_valid=is_valid, unknown=tuple(unknown))  # type: ignore[arg-type]


def _value(kind: Kind, text: str) -> int | float | bool | str | None:
    match kind:
        case Kind.STRING:
            return text
        case Kind.BOOL:
            return {"true": True, "false": False}.get(text.lower())
        case Kind.FLOAT:
            return float(text) if _FLOAT.fullmatch(text) else None
        case Kind.INT32 | Kind.INT64:
            bits = 31 if kind is Kind.INT32 else 63
            number = int(text) if _INTEGER.fullmatch(text) else None
            return number if number is not None and -(1 << bits) <= number < 1 << bits else None


def usage(program: str) -> str:
    """Return the usage text: every flag with its default and type."""
    defaults = Flags()
    lines = [f"usage: {program}", "Flags:"]
    for name, kind in kinds().items():
        default = getattr(defaults, name)
        match kind:
            case Kind.BOOL:
                shown = str(default).lower()
            case Kind.STRING:
                shown = f'"{default}"'
            case Kind.FLOAT:
                shown = f"{default:f}"
            case Kind.INT32 | Kind.INT64:
                shown = str(default)
        lines.append(f"\t{f'--{name}={shown}':<33}\t{kind}")
    return "\n".join(lines) + "\n"
