"""The process: flags, models, ports, exit codes."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from local.modelserver import (
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
    settings,
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
    if not (parsed.flags.xla_cpu_compilation_enabled or parsed.flags.xla_gpu_compilation_enabled):
        runtime.disable_xla()
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
    models = configs.read_models(given)
    servables = manager.Servables(models, settings.read(given, counted))
    servables.start()
    configpolls.start(servables, given.model_config_file, given.model_config_file_poll_wait_seconds)
    grpc_server = grpcserver.serve(given, servables, counted)
    _serve_rest(given, servables, counted)
    grpc_server.wait_for_termination()


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
