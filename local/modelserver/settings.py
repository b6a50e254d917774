"""How versions are loaded, from the command line."""

from typing import Any, Final

from local.modelserver import (
    batching,
    batchparameters,
    configs,
    errors,
    flags,
    loading,
    logs,
    manager,
    metrics,
    platformconfigs,
    protos,
    runtime,
    textprotos,
)

_WHERE: Final = "model_servers/server.cc"
_DEFAULTS: Final = flags.Flags()


def read(given: flags.Flags, counted: metrics.Metrics) -> manager.Settings:
    """Return the manager's settings, in the order in which the original finds what is wrong with the flags."""
    if given.platform_config_file:
        found = platformconfigs.read(given.platform_config_file)
        loaders = {name: _platform_loader(config, given, counted) for name, config in found.items()}
    else:
        batcher = batching.Batcher.from_flags(given, counted)
        loaders = {configs.PLATFORM: loading.Loader(_loading_settings(given), batcher, counted)}
    return manager.Settings(
        loaders={name: loader.load for name, loader in loaders.items()},
        max_retries=given.max_num_load_retries,
        retry_interval_seconds=given.load_retry_interval_micros / 1e6,
        load_threads=given.num_load_threads,
        unload_threads=given.num_unload_threads,
        initial_load_threads=4 * flags.schedulable_cpus(),
        poll_seconds=given.file_system_poll_wait_seconds,
        are_labels_free=given.allow_version_labels_for_unavailable_models,
    )


def _platform_loader(config: Any, given: flags.Flags, counted: metrics.Metrics) -> loading.Loader:
    """Return what loads the models of a platform: the file says all that otherwise flags say, and has its defaults."""
    batcher = None
    if config.HasField("batching_parameters"):
        parameters = batchparameters.Parameters.from_proto(config.batching_parameters)
        batcher = batching.Batcher(parameters, given, counted)
    settings = loading.Settings(
        session=runtime.SessionSettings(
            config=config.session_config.SerializeToString(),
            tags=tuple(config.saved_model_tags) or (_DEFAULTS.saved_model_tags,),
            timeout_ms=given.rest_api_timeout_in_ms,
        ),
        prefers_tflite=config.prefer_tflite_model,
        tflite_pool_size=config.num_tflite_pools,
        is_warmed_up=config.enable_model_warmup,
        warmup_iterations=config.model_warmup_options.num_request_iterations.value,
    )
    return loading.Loader(settings, batcher, counted)


def _loading_settings(given: flags.Flags) -> loading.Settings:
    return loading.Settings(
        session=runtime.SessionSettings(
            config=_session_config(given).SerializeToString(),
            # Without tags the one that the flag has by default is meant.
            tags=tuple((given.saved_model_tags or _DEFAULTS.saved_model_tags).split(",")),
            timeout_ms=given.rest_api_timeout_in_ms,
        ),
        prefers_tflite=given.prefer_tflite_model,
        tflite_pool_size=given.num_tflite_pools,
        is_warmed_up=given.enable_model_warmup,
        warmup_iterations=given.num_request_iterations_for_warmup,
    )


def _session_config(given: flags.Flags) -> Any:
    """Return the ``ConfigProto`` of all sessions: what the file says, and over it the flags."""
    config = protos.config_pb2.ConfigProto()
    if given.tensorflow_session_config_file:
        textprotos.read(given.tensorflow_session_config_file, config)
    config.gpu_options.per_process_gpu_memory_fraction = given.per_process_gpu_memory_fraction
    both = given.tensorflow_session_parallelism
    intra, inter = given.tensorflow_intra_op_parallelism, given.tensorflow_inter_op_parallelism
    if both > 0 and intra > 0 and inter > 0:
        raise errors.invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism"
            " or (server_options.tensorflow_intra_op_parallelism,"
            " server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    if intra > 0 or inter > 0:
        config.intra_op_parallelism_threads = intra
        config.inter_op_parallelism_threads = inter
    else:
        config.intra_op_parallelism_threads = config.inter_op_parallelism_threads = both
    _set_mixed_precision(config, given.mixed_precision)
    return config


def _set_mixed_precision(config: Any, wanted: str) -> None:
    if wanted == "bfloat16":
        logs.log(_WHERE, "Running inference with bfloat16 auto mixed precision")
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    elif wanted:
        logs.log(
            _WHERE,
            f"{wanted} auto mixed precision is not supported. Valid option: bfloat16",
            severity=logs.Severity.WARNING,
        )
