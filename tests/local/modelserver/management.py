"""Asks a running model server for another configuration, over gRPC as an operator would."""

# First of all: it puts a bare package in TensorFlow's place, which would take seconds to import.
from local.modelserver import protos

# isort: split
import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import model_service_pb2_grpc

from tests.local.modelserver import servers

ONCE = ("--max_num_load_retries=0", "--load_retry_interval_micros=0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """A refused call."""

    code: str
    message: str


@dataclasses.dataclass(kw_only=True)
class Managed:
    """A server and the port that manages it."""

    server: servers.Server
    grpc_port: int

    def reload(self, *models: str, timeout: float = 30) -> Failure | None:
        """Serve these models, which are entries of a model config file, and no others."""
        listed = "\n".join(f"config {{ {model} }}" for model in models)
        return self.reload_text(f"model_config_list {{ {listed} }}", timeout=timeout)

    def reload_text(self, text: str, *, timeout: float = 30) -> Failure | None:
        request = protos.model_management_pb2.ReloadConfigRequest()
        text_format.Parse(text, request.config)
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            try:
                stub.HandleReloadConfigRequest(request, timeout)
            except grpc.RpcError as error:
                return Failure(code=error.code().name, message=error.details() or "")
        return None


@contextlib.contextmanager
def managed(folder: Path, *flags: str) -> Iterator[Managed]:
    """Start a server whose configuration is to change while it runs."""
    port = servers.free_port()
    with servers.running(folder, *flags, f"--port={port}", *ONCE) as server:
        yield Managed(server=server, grpc_port=port)
