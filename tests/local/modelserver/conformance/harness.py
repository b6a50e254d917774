"""Drives a model server as TensorFlow Serving's own tests drive theirs, and asks it over gRPC and REST.

The server is the program that ``TENSORFLOW_MODEL_SERVER`` names, or this project's own one. Readiness is what the
tests of the original wait for: a prediction of a model that does not exist fails with words about a servable.
"""

# First of all: it puts a bare package in TensorFlow's place, which would take seconds to import.
from local.modelserver import protos  # noqa: F401

# isort: split
import contextlib
import dataclasses
import functools
import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

OWN_PROGRAM = Path(__file__).parents[4] / "local" / "bin" / "tensorflow_model_server"
RPC_SECONDS = 20.0
QUICK_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]
READY_SECONDS = 60
VERSION = 123


def program() -> str:
    return os.environ.get("TENSORFLOW_MODEL_SERVER") or str(OWN_PROGRAM)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    grpc_port: int
    rest_port: int
    socket_path: Path
    folder: Path

    @functools.cached_property
    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"localhost:{self.grpc_port}", QUICK_RECONNECT)

    @property
    def predictions(self) -> prediction_service_pb2_grpc.PredictionServiceStub:
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self) -> model_service_pb2_grpc.ModelServiceStub:
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def output(self) -> str:
        return (self.folder / "stdout").read_text(errors="replace")

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        return self.predictions.Predict(request, RPC_SECONDS)

    def rest(self, path: str, document: Any = None) -> tuple[int, Any]:
        """GET a path, or POST a document to it; the status and the JSON that came back."""
        status, body = self.rest_text(path, document)
        return status, json.loads(body)

    def rest_text(self, path: str, document: Any = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("localhost", self.rest_port, timeout=RPC_SECONDS)
        with contextlib.closing(connection):
            body = None if document is None else json.dumps(document)
            connection.request("GET" if body is None else "POST", path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def is_ready(self) -> bool:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "intentionally_missing_model"
        try:
            self.predictions.Predict(request, 5.0)
        except grpc.RpcError as error:
            return "Servable" in error.details()
        return False

    def has_rest(self) -> bool:
        """Whether the REST port is open, which it is a moment after the gRPC port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.rest_port)) == 0

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (self.is_ready() and self.has_rest()):
            assert self.process.poll() is None, self.output + self.log
            assert time.monotonic() < deadline, "the server is not ready: " + self.log
            time.sleep(0.05)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if "channel" in self.__dict__:
            self.channel.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def launched(folder: Path, *flags: str) -> Iterator[Server]:
    """Start a server with the flags that the original's tests always give, from a folder that is not its own."""
    # The path of a Unix socket may be 107 bytes long; those of pytest's folders are longer at times.
    with tempfile.TemporaryDirectory() as short:
        server = _start(folder, Path(short) / "grpc.sock", flags)
        try:
            yield server
        finally:
            server.close()


def _start(folder: Path, socket_path: Path, flags: tuple[str, ...]) -> Server:
    grpc_port, rest_port = free_port(), free_port()
    always = (
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        "--rest_api_timeout_in_ms=5000",
        f"--grpc_socket_path={socket_path}",
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(
            [program(), *always, *flags], stdout=out, stderr=log, cwd=folder, env=environment
        )
    return Server(
        process=process, grpc_port=grpc_port, rest_port=rest_port, socket_path=socket_path, folder=folder
    )


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Server]:
    with launched(folder, *flags) as server:
        server.wait_until_ready()
        yield server


def base_path(path: Path) -> tuple[str, str]:
    """The flags for one model that is called as the original's tests call it."""
    return "--model_name=default", f"--model_base_path={path}"


def config_text(**paths: Path) -> str:
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
        for name, path in paths.items()
    )
    return f"model_config_list {{\n{entries}}}\n"


def floats(*values: float, shape: tuple[int, ...] | None = None) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=values)
    for size in (len(values),) if shape is None else shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def predict_request(
    model: str = "default",
    signature: str = "serving_default",
    *,
    only: tuple[str, ...] = (),
    **inputs: tensor_pb2.TensorProto,
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(output_filter=only)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tensor)
    return request


def assert_predicts(
    server: Server,
    want: float,
    *,
    model: str = "default",
    signature: str = "serving_default",
    only: tuple[str, ...] = (),
    shape: tuple[int, ...] = (1,),
    version: int = VERSION,
) -> None:
    """One number goes in as ``x``; ``y`` comes out in the typed field, with the spec of what answered."""
    answer = server.predict(predict_request(model, signature, only=only, x=floats(2.0, shape=shape)))
    assert answer.outputs["y"].dtype == types_pb2.DT_FLOAT
    assert list(answer.outputs["y"].float_val) == [want]
    assert_spec(answer.model_spec, model, signature, version)


def assert_spec(spec: Any, name: str, signature: str, version: int = VERSION) -> None:
    assert (spec.name, spec.signature_name, spec.version.value) == (name, signature, version)
