"""Load for a model server: clients over REST and gRPC, at their own pace or at a given rate."""

# First of all: it puts a bare package in TensorFlow's place, which would take seconds to import.
from local.modelserver import protos  # noqa: F401

# isort: split
import contextlib
import dataclasses
import itertools
import os
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc  # type: ignore[import-untyped]

PROGRAM: Final = Path(
    os.environ.get("TENSORFLOW_MODEL_SERVER")
    or Path(__file__).parents[1] / "local" / "bin" / "tensorflow_model_server"
)
MODEL: Final = "m"

Ask = Callable[[], str]
"""One request of one client; returns what was wrong, or nothing."""
NewClient = Callable[[], contextlib.AbstractContextManager[Ask]]
"""Opens a client's connection for a while."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A server under load."""

    process: subprocess.Popen[bytes]
    grpc_port: int
    rest_port: int

    def memory_mib(self, field: str = "RssAnon") -> float:
        """Return a figure of the process's memory; ``RssAnon`` is what no file backs."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return (
            next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) / 1024
        )


@contextlib.contextmanager
def started(base_path: Path, log: Path, *flags: str, prepare: str = "") -> Iterator[Server]:
    """Run a server and end it afterwards; a shell's command may prepare its process."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(2)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        grpc_port, rest_port = (probe.getsockname()[1] for probe in sockets)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(["/bin/sh", "-c", f'{prepare} && exec "$0" "$@"'] if prepare else []),
                PROGRAM,
                f"--port={grpc_port}",
                f"--rest_api_port={rest_port}",
                f"--model_name={MODEL}",
                f"--model_base_path={base_path}",
                # By default 4 per CPU, and calls beyond them are refused.
                "--grpc_max_threads=64",
                *flags,
            ],
            stdout=output,
            stderr=output,
        )
    try:
        yield Server(process=process, grpc_port=grpc_port, rest_port=rest_port)
    finally:
        process.kill()
        process.wait()


class Connection:
    """One kept-alive HTTP connection that costs the client little."""

    def __init__(self, port: int, seconds: float = 60) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return the status and the body of its answer."""
        self._socket.sendall(request)
        first = self._file.readline()
        length = 0
        while (line := self._file.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        body = self._file.read(length)
        if not first:
            raise ConnectionError("the server closed the connection")
        return int(first.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()


def ask_once(port: int, request: bytes, seconds: float = 60) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    with contextlib.closing(Connection(port, seconds)) as connection:
        return connection.ask(request)


def get(path: str) -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: m\r\n\r\n".encode()


def post(body: bytes, path: str = f"/v1/models/{MODEL}:predict") -> bytes:
    """Return a POST request."""
    return b"POST %b HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


@contextlib.contextmanager
def rest_client(port: int, request: bytes) -> Iterator[Ask]:
    """Open a connection that sends the same request again and again."""
    with contextlib.closing(Connection(port)) as connection:

        def ask() -> str:
            try:
                status, body = connection.ask(request)
            except OSError as error:
                return f"REST: {error}"
            return "" if status == 200 else f"REST: {status} {body.decode(errors='replace')}"

        yield ask


def predict_request(input_name: str, rows: Sequence[Sequence[float]]) -> predict_pb2.PredictRequest:
    """Return a gRPC request for rows of numbers."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=itertools.chain.from_iterable(rows))
    tensor.tensor_shape.dim.add(size=len(rows))
    tensor.tensor_shape.dim.add(size=len(rows[0]))
    request.inputs[input_name].CopyFrom(tensor)
    return request


@contextlib.contextmanager
def grpc_client(port: int, request: Any, check: Callable[[Any], str] = lambda _: "") -> Iterator[Ask]:
    """Open a channel of its own that sends the same request again and again."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask() -> str:
            try:
                return check(stub.Predict(request, 60))
            except grpc.RpcError as error:
                return f"gRPC: {error.code().name} {error.details()}"

        yield ask


class Figures:
    """What became of the requests of a load."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self.failures: list[str] = []

    def add(self, latencies: Sequence[float], failures: Sequence[str]) -> None:
        """Take over what one client has seen."""
        with self._lock:
            self._latencies.extend(latencies)
            self.failures.extend(failures)

    @property
    def count(self) -> int:
        """How many requests were answered, well or not."""
        return len(self._latencies)

    def line(self, name: str, seconds: float) -> str:
        """Return one line of figures."""
        percentiles = statistics.quantiles(self._latencies, n=100)
        return (
            f"{name:<34} {self.count / seconds:7.0f} predictions/s, p50 {percentiles[49] * 1e3:6.1f} ms,"
            f" p99 {percentiles[98] * 1e3:6.1f} ms, {len(self.failures)} failed"
        )


def closed_loop(clients: Sequence[NewClient], seconds: float) -> Figures:
    """Let each client send its next request as soon as the last one is answered."""
    figures = Figures()
    until = time.monotonic() + seconds

    def work(new: NewClient) -> None:
        latencies, failures = [], []
        with new() as ask:
            while (began := time.monotonic()) < until:
                if problem := ask():
                    failures.append(problem)
                latencies.append(time.monotonic() - began)
        figures.add(latencies, failures)

    _run([threading.Thread(target=work, args=(new,)) for new in clients])
    return figures


def open_loop(
    clients: Sequence[NewClient], *, rate: float, is_over: Callable[[], bool], figures: Figures
) -> None:
    """Send requests at a rate, whether or not the earlier ones are answered in time.

    The time of a request counts from when it should have been sent: waiting for a free client is a part of it.
    """
    interval = len(clients) / rate
    begin = time.monotonic() + 0.1

    def work(position: int, new: NewClient) -> None:
        latencies, failures = [], []
        due = begin + position / rate
        with new() as ask:
            while not is_over():
                time.sleep(max(0.0, due - time.monotonic()))
                if problem := ask():
                    failures.append(problem)
                latencies.append(time.monotonic() - due)
                due += interval
        figures.add(latencies, failures)

    _run([threading.Thread(target=work, args=(i, new)) for i, new in enumerate(clients)])


def _run(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
