"""Text files of the messages that the published packages carry no generated module for.

``monitoring_config.proto``, ``ssl_config.proto`` and ``session_bundle_config.proto`` of TensorFlow Serving, as far as
this server reads them: the fields by their names, for protobuf's own parser of text.
"""

import pathlib
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from local.modelserver import errors, logs

_Field = descriptor_pb2.FieldDescriptorProto
_WRAPPERS: Final = wrappers_pb2.DESCRIPTOR
_INT64: Final = ".google.protobuf.Int64Value"
_PACKAGE: Final = "local.modelserver"
"""Not the original's package: the generated modules of its other files share this process's pool of names."""


def message_type(name: str, fields: dict[str, tuple[int, str | int]]) -> descriptor_pb2.DescriptorProto:
    """Return a message type: its fields by name, each with its number and its message's name or its scalar type."""
    message = descriptor_pb2.DescriptorProto(name=name)
    for field_name, (number, kind) in fields.items():
        field = message.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
        if isinstance(kind, str):
            field.type, field.type_name = _Field.TYPE_MESSAGE, kind
        else:
            field.type = kind  # type: ignore[assignment]
    return message


def batching_parameters_type() -> descriptor_pb2.DescriptorProto:
    """Return the message type of a batching parameters file."""
    batching = message_type(
        "BatchingParameters",
        {
            "max_batch_size": (1, _INT64),
            "batch_timeout_micros": (2, _INT64),
            "max_enqueued_batches": (3, _INT64),
            "num_batch_threads": (4, _INT64),
            "thread_pool_name": (5, ".google.protobuf.StringValue"),
            "allowed_batch_sizes": (6, _Field.TYPE_INT64),
            "pad_variable_length_inputs": (7, _Field.TYPE_BOOL),
            "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue"),
            "max_execution_batch_size": (9, _INT64),
        },
    )
    batching.field[5].label = _Field.LABEL_REPEATED
    return batching


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="modelserver.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(_WRAPPERS.name)
    file.message_type.append(
        message_type("PrometheusConfig", {"enable": (1, _Field.TYPE_BOOL), "path": (2, _Field.TYPE_STRING)})
    )
    file.message_type.append(
        message_type("MonitoringConfig", {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")})
    )
    file.message_type.append(
        message_type(
            "SSLConfig",
            {
                "server_key": (1, _Field.TYPE_STRING),
                "server_cert": (2, _Field.TYPE_STRING),
                "custom_ca": (3, _Field.TYPE_STRING),
                "client_verify": (4, _Field.TYPE_BOOL),
            },
        )
    )
    file.message_type.append(batching_parameters_type())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_WRAPPERS.serialized_pb)
    pool.Add(file)
    return pool


_POOL: Final = _pool()


def _new(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()


def read_monitoring_config(path: str) -> Any:
    """Read a monitoring config file."""
    return read(path, _new("MonitoringConfig"))


def read_ssl_config(path: str) -> Any:
    """Read an SSL config file."""
    return read(path, _new("SSLConfig"))


def read_batching_parameters(path: str) -> Any:
    """Read a batching parameters file."""
    return read(path, _new("BatchingParameters"))


def no_batching_parameters() -> Any:
    """Return batching parameters of which none is set."""
    return _new("BatchingParameters")


def read(path: str, message: Any, pool: descriptor_pool.DescriptorPool | None = None) -> Any:
    """Fill a message from a file and return it; the pool knows the types that the text itself names."""
    try:
        text = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.not_found(f"{path}; {error.strerror}") from error
    try:
        return text_format.Parse(text, message, descriptor_pool=pool)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        name = message.DESCRIPTOR.full_name.replace(_PACKAGE, "tensorflow.serving")
        place = str(error).replace(" : ", ": ", 1)
        logs.log(
            "util/proto_util.cc",
            f"Error parsing text-format {name}: {place}",
            severity=logs.Severity.ERROR,
        )
        raise errors.invalid_argument(f"Invalid protobuf file: '{path}'") from error
