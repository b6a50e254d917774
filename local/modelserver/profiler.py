"""TensorFlow's profiler on the gRPC port: requests go, unread, to the service that the C++ runtime carries.

The runtime's service listens on a port of its own, so it is started on the first request only.
"""

import functools
import importlib.util
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import grpc  # type: ignore[import-untyped]

from local.modelserver import protos

SERVICE: Final = "/tensorflow.ProfilerService/"
_MODULE: Final = "_pywrap_profiler"
_UNLIMITED: Final = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Profiler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Passes calls of the profiler's service on, byte for byte."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: grpc.Channel | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return how a call is handled, if it is one of the profiler's."""
        method: str = handler_call_details.method
        if not method.startswith(SERVICE):
            return None
        # Without serializers, requests and answers are bytes.
        return grpc.unary_unary_rpc_method_handler(functools.partial(self._forward, method))

    def _forward(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        call: Callable[..., Any] = self._channel().unary_unary(method)
        try:
            return bytes(call(request, timeout=context.time_remaining(), wait_for_ready=True))
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise  # for the type: the call above has raised

    def _channel(self) -> grpc.Channel:
        with self._lock:
            if self._opened is None:
                port = _free_port()
                _runtime_module().start_server(port)
                self._opened = grpc.insecure_channel(f"localhost:{port}", _UNLIMITED)
            return self._opened


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _runtime_module() -> Any:
    """Import the runtime's own binding alone, without the packages around it."""
    path = protos.TENSORFLOW_FOLDER / "python" / "profiler" / "internal" / f"{_MODULE}.so"
    spec = importlib.util.spec_from_file_location(f"tensorflow.python.profiler.internal.{_MODULE}", path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
