"""The process: flags, models, ports, exit codes."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from local.modelserver import (
    batching,
    configpolls,
    configs,
    errors,
    flags,
    grpcserver,
    logs,
    manager,
    metrics,
    rest,
    runtime,
    savedmodel,
    web,
)

_WHERE: Final = "model_servers/server.cc"
FAILURE: Final = 255
"""The exit code of a server that could not start."""


def main(arguments: Sequence[str]) -> int:
    """Run the server; returns an exit code, or never."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parsed = flags.parse(arguments)
    usage = flags.usage("tensorflow_model_server")
    if not parsed.is_valid:
        _say(usage)
        return FAILURE
    if parsed.flags.version:
        version = runtime.runtime_version()
        _say(f"TensorFlow ModelServer: {version}-development\nTensorFlow Library: {version}\n")
        return 0
    if parsed.unknown:
        _say(f"unknown argument: {parsed.unknown[0]}\n{usage}")
    try:
        _run(parsed.flags)
    except errors.ServingError as error:
        _say(f"Failed to start server. Error: {error.status_text}\n")
    return FAILURE


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _run(given: flags.Flags) -> None:
    if given.port == 0 and not given.grpc_socket_path:
        raise errors.invalid_argument("server_options.grpc_port is not set.")
    counted = metrics.Metrics()
    batcher = batching.Batcher.from_flags(given, counted)
    models = configs.read_models(given)
    servables = manager.Servables(models, _manager_settings(given, batcher))
    servables.start()
    configpolls.start(servables, given.model_config_file, given.model_config_file_poll_wait_seconds)
    grpc_server = grpcserver.serve(given, servables, counted)
    _serve_rest(given, servables, counted)
    grpc_server.wait_for_termination()


def _manager_settings(given: flags.Flags, batcher: batching.Batcher | None) -> manager.Settings:
    session = _session_settings(given)

    def load(path: str) -> savedmodel.SavedModel:
        model = savedmodel.SavedModel.load(path, session)
        if batcher is not None:
            batcher.wrap(model, path)
        return model

    return manager.Settings(
        load=load,
        max_retries=given.max_num_load_retries,
        retry_interval_seconds=max(given.load_retry_interval_micros, 0) / 1e6,
        load_threads=given.num_load_threads,
        unload_threads=given.num_unload_threads,
        initial_load_threads=4 * flags.schedulable_cpus(),
        poll_seconds=given.file_system_poll_wait_seconds,
        are_labels_free=given.allow_version_labels_for_unavailable_models,
    )


def _session_settings(given: flags.Flags) -> runtime.SessionSettings:
    both = given.tensorflow_session_parallelism
    intra, inter = given.tensorflow_intra_op_parallelism, given.tensorflow_inter_op_parallelism
    if both > 0 and intra > 0 and inter > 0:
        raise errors.invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism"
            " or (server_options.tensorflow_intra_op_parallelism,"
            " server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    return runtime.SessionSettings(
        intra_op_threads=intra or both,
        inter_op_threads=inter or both,
        tags=tuple(given.saved_model_tags.split(",")),
        timeout_ms=given.rest_api_timeout_in_ms,
    )


def _serve_rest(given: flags.Flags, servables: manager.Servables, counted: metrics.Metrics) -> None:
    if given.rest_api_port == 0:
        return
    if given.rest_api_port == given.port:
        logs.log(
            _WHERE,
            "server_options.http_port cannot be same as grpc_port. Please use a different port for HTTP/REST API."
            " Skipped exporting HTTP/REST API.",
            severity=logs.Severity.ERROR,
        )
        return
    monitoring = (
        web.read_monitoring(given.monitoring_config_file, counted) if given.monitoring_config_file else None
    )
    address = f"localhost:{given.rest_api_port}"
    try:
        listener = web.bind(given.rest_api_port)
    except OSError:
        logs.log(_WHERE, f"Failed to start HTTP Server at {address}", severity=logs.Severity.ERROR)
        return
    logs.log(_WHERE, f"Exporting HTTP/REST API at:{address} ...")
    sys.stderr.write("[evhttp_server.cc : 245] NET_LOG: Entering the event loop ...\n")
    app = web.App(
        rest.Api(servables, counted, checks_method_names=given.enable_signature_method_name_check),
        thread_count=given.rest_api_num_threads,
        has_cors=given.rest_api_enable_cors_support,
        monitoring=monitoring,
    )
    web.serve(app, listener)


def leave(code: int) -> None:
    """End the process without waiting for the runtime's threads."""
    sys.stderr.flush()
    os._exit(code)
