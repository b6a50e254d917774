"""The gRPC server: ports, credentials, channel arguments, and who answers which call."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
from google.protobuf import wrappers_pb2

from local.modelserver import (
    errors,
    flags,
    grpcservices,
    logs,
    manager,
    metrics,
    profiler,
    protos,
    textprotos,
)

_WHERE: Final = "model_servers/server.cc"
_INT32: Final = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_INT32_MAX: Final = (1 << 31) - 1
_SPARE_THREADS: Final = 2
"""What refuses calls while as many as are allowed run."""
_SERVING, _SERVICE_UNKNOWN = 1, 3
_HEALTHY: Final = frozenset({"", "ModelService", "PredictionService"})
"""The names that the health service knows; the empty one is the server as a whole."""


def serve(given: flags.Flags, servables: manager.Servables, counted: metrics.Metrics) -> grpc.Server:
    """Open the ports and answer calls, on threads of its own, for as long as the result is kept.

    Raises
    ------
    ServingError
        A port cannot be opened.
    """
    if given.grpc_max_threads < 1:
        _die("No thread quota available to even create the minimum required polling threads (i.e 1).")
    gate = grpcservices.Gate(given.grpc_max_threads)
    pool = futures.ThreadPoolExecutor(gate.size + _SPARE_THREADS, "grpc")
    server = grpc.server(pool, options=list(channel_arguments(given.grpc_channel_arguments).items()))
    prediction = grpcservices.PredictionService(
        servables,
        gate,
        checks_method_names=given.enable_signature_method_name_check,
        as_tensor_content=given.enable_serialization_as_tensor_content,
        counted=counted,
    )
    protos.prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model = grpcservices.ModelService(servables, gate)
    protos.model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    handlers = [_health_handler()] if given.enable_grpc_healthcheck_service else []
    if given.enable_profiler:
        handlers.append(profiler.Profiler())
    server.add_generic_rpc_handlers((*handlers, _Unimplemented()))
    _open_ports(server, given)
    return server


def _open_ports(server: grpc.Server, given: flags.Flags) -> None:
    places = []
    if given.port != 0:
        places.append((f"0.0.0.0:{given.port}", f"0.0.0.0:{given.port}"))
    if given.grpc_socket_path:
        places.append((f"unix:{given.grpc_socket_path}", f"UNIX socket {given.grpc_socket_path}"))
    try:
        for address, _ in places:
            _open_port(server, address, given.ssl_config_file)
        server.start()
    except (RuntimeError, ValueError) as error:
        raise errors.invalid_argument("Failed to BuildAndStart gRPC server") from error
    for _, shown in places:
        logs.log(_WHERE, f"Running gRPC ModelServer at {shown} ...")


def _open_port(server: grpc.Server, address: str, ssl_config_file: str) -> None:
    if not ssl_config_file:
        server.add_insecure_port(address)
        return
    try:
        config = textprotos.read_ssl_config(ssl_config_file)
    except errors.ServingError as error:
        _die(
            "Non-OK-status: ParseProtoTextFile<SSLConfig>(ssl_config_file, &ssl_config)\n"
            f"Status: {error.status_text}"
        )
    credentials = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
    server.add_secure_port(address, credentials)


def _die(message: str) -> None:
    """End the process where a check of the original would end it."""
    logs.log(_WHERE, message, severity=logs.Severity.FATAL)
    os.abort()


def channel_arguments(text: str) -> dict[str, int | str]:
    """Read ``key=value,key=value``; a value that is no int32 is a string.

    A pair without a value is undefined behaviour of the original; here it is left out.
    """
    arguments: dict[str, int | str] = {
        # The original's size limit is the largest int32, in place of gRPC's own 4 MiB.
        "grpc.max_receive_message_length": _INT32_MAX
    }
    for pair in text.split(","):
        key, separator, rest = pair.partition("=")
        if not separator:
            continue
        value = rest.split("=")[0]
        number = int(value) if _INT32.fullmatch(value) else None
        is_int32 = number is not None and -_INT32_MAX - 1 <= number <= _INT32_MAX
        arguments[key] = number if number is not None and is_int32 else value
    return arguments


class _Unimplemented(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes the calls of every method that nothing else takes; unlike gRPC's own answer, this one has no words."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ARG002
        return grpc.stream_stream_rpc_method_handler(_refuse)


def _refuse(_requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
    yield b""


def _health_handler() -> grpc.GenericRpcHandler:
    """Return ``grpc.health.v1.Health``, whose messages have the wire form of a single string and a single number."""
    forms: dict[str, Callable[..., Any]] = {
        "request_deserializer": wrappers_pb2.StringValue.FromString,
        "response_serializer": wrappers_pb2.Int32Value.SerializeToString,
    }
    methods = {
        "Check": grpc.unary_unary_rpc_method_handler(_check_health, **forms),
        "Watch": grpc.unary_stream_rpc_method_handler(_watch_health, **forms),
    }
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)


def _check_health(
    service: wrappers_pb2.StringValue, context: grpc.ServicerContext
) -> wrappers_pb2.Int32Value:
    if service.value not in _HEALTHY:
        context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
    return wrappers_pb2.Int32Value(value=_SERVING)


def _watch_health(
    service: wrappers_pb2.StringValue,
    _context: grpc.ServicerContext,
    send: Callable[[wrappers_pb2.Int32Value], None],
) -> None:
    """Tell the state once: it never changes. The call stays open, without a thread of its own."""
    status = _SERVING if service.value in _HEALTHY else _SERVICE_UNKNOWN
    send(wrappers_pb2.Int32Value(value=status))


_watch_health.experimental_non_blocking = True  # type: ignore[attr-defined]
