"""The platform config file: a text-proto that says for each platform how its models are loaded.

It is a ``PlatformConfigMap`` of ``SavedModelBundleSourceAdapterConfig`` messages. Their types are described here by
the names and fields of TensorFlow Serving's own files, because the text names them in full.
"""

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import (
    any_pb2,
    descriptor,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)

from local.modelserver import errors, protos, textprotos

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "tensorflow.serving"
_INT32: Final = ".google.protobuf.Int32Value"
_MODERN: Final = f"{_PACKAGE}.SavedModelBundleSourceAdapterConfig"
_LEGACY: Final = f"{_PACKAGE}.SessionBundleSourceAdapterConfig"


def read(path: str) -> dict[str, Any]:
    """Return the ``SessionBundleConfig`` of each platform.

    Raises
    ------
    ServingError
        The file cannot be read.
    """
    pool = _pool()
    found = textprotos.read(path, _new(pool, f"{_PACKAGE}.PlatformConfigMap"), pool)
    configs = {}
    for name, platform in found.platform_configs.items():
        packed = platform.source_adapter_config
        kind = packed.TypeName()
        if kind not in {_MODERN, _LEGACY}:
            raise errors.invalid_argument(f"No source adapter is registered for platform {name}: {kind}")
        adapter = _new(pool, kind)
        adapter.ParseFromString(packed.value)
        configs[name] = adapter.legacy_config if kind == _MODERN else adapter.config
    return configs


def _new(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    known = (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR, protos.config_pb2.DESCRIPTOR)
    _add(pool, known, set())
    file = descriptor_pb2.FileDescriptorProto(
        name="platforms.proto", package=_PACKAGE, syntax="proto3", dependency=[each.name for each in known]
    )
    batching = textprotos.batching_parameters_type()
    file.message_type.extend([*_platform_types(), *_session_bundle_types(), batching])
    pool.Add(file)
    return pool


def _add(
    pool: descriptor_pool.DescriptorPool, files: Iterable[descriptor.FileDescriptor], added: set[str]
) -> None:
    for file in files:
        if file.name not in added:
            added.add(file.name)
            _add(pool, file.dependencies, added)
            pool.AddSerializedFile(file.serialized_pb)


def _platform_types() -> list[descriptor_pb2.DescriptorProto]:
    platforms = textprotos.message_type(
        "PlatformConfigMap", {"platform_configs": (1, f".{_PACKAGE}.PlatformConfigMap.PlatformConfigsEntry")}
    )
    platforms.field[0].label = _Field.LABEL_REPEATED
    entry = textprotos.message_type(
        "PlatformConfigsEntry", {"key": (1, _Field.TYPE_STRING), "value": (2, f".{_PACKAGE}.PlatformConfig")}
    )
    entry.options.map_entry = True
    platforms.nested_type.append(entry)
    message = textprotos.message_type
    return [
        platforms,
        message("PlatformConfig", {"source_adapter_config": (1, ".google.protobuf.Any")}),
        message(_name(_MODERN), {"legacy_config": (1000, f".{_PACKAGE}.SessionBundleConfig")}),
        message(_name(_LEGACY), {"config": (1, f".{_PACKAGE}.SessionBundleConfig")}),
    ]


def _name(full: str) -> str:
    return full.rpartition(".")[2]


def _session_bundle_types() -> list[descriptor_pb2.DescriptorProto]:
    bundle = textprotos.message_type(
        "SessionBundleConfig",
        {
            "session_target": (1, _Field.TYPE_STRING),
            "session_config": (2, ".tensorflow.ConfigProto"),
            "batching_parameters": (3, f".{_PACKAGE}.BatchingParameters"),
            "session_run_load_threadpool_index": (4, _INT32),
            "experimental_transient_ram_bytes_during_load": (5, _Field.TYPE_UINT64),
            "saved_model_tags": (6, _Field.TYPE_STRING),
            "enable_model_warmup": (779, _Field.TYPE_BOOL),
            "model_warmup_options": (780, f".{_PACKAGE}.ModelWarmupOptions"),
            "enable_session_metadata": (781, _Field.TYPE_BOOL),
            "remove_unused_fields_from_bundle_metagraph": (782, _Field.TYPE_BOOL),
            "prefer_tflite_model": (783, _Field.TYPE_BOOL),
            "num_tflite_interpreters_per_pool": (785, _Field.TYPE_INT32),
            "num_tflite_pools": (786, _Field.TYPE_INT32),
        },
    )
    bundle.field[5].label = _Field.LABEL_REPEATED
    warmup = textprotos.message_type(
        "ModelWarmupOptions",
        {"num_request_iterations": (1, _INT32), "num_model_warmup_threads": (2, _INT32)},
    )
    return [bundle, warmup]
