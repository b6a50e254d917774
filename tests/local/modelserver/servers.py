"""Runs the real model server as a process on loopback ports."""

import contextlib
import dataclasses
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[3] / "local" / "bin" / "tensorflow_model_server"
START_TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


@dataclasses.dataclass(kw_only=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    grpc_port: int = 0

    def request(
        self,
        verb: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            is_chunked = "Transfer-Encoding" in (headers or {})
            connection.request(verb, path, body, headers or {}, encode_chunked=is_chunked)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(
                status=response.status, headers=found, body=response.read().decode("utf-8", "surrogateescape")
            )

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def predict(self, model: str, document: Any, *, version: int | None = None) -> Answer:
        return self.call(model, "predict", document, version=version)

    def call(self, model: str, method: str, document: Any, *, version: int | None = None) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        where = f"/v1/models/{model}" + ("" if version is None else f"/versions/{version}")
        return self.request("POST", f"{where}:{method}", body)

    def states(self, model: str) -> dict[int, str]:
        answer = self.get(f"/v1/models/{model}")
        return {int(each["version"]): each["state"] for each in answer.json["model_version_status"]}

    def anonymous_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def output(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def wait_until_listening(self) -> None:
        wait_for(lambda: self.is_listening() or self.process.poll() is not None, "the REST port is open")
        assert self.process.poll() is None, self.output + self.log

    def wait_for_exit(self) -> int:
        return self.process.wait(START_TIMEOUT_SECONDS)


def wait_for(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def launched(folder: Path, *flags: str, has_rest: bool = True) -> Iterator[Server]:
    """Start a server and end it afterwards; nothing is awaited."""
    port, grpc_port = free_port(), free_port()
    rest = [f"--rest_api_port={port}"] if has_rest else []
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, f"--port={grpc_port}", *rest, *flags],
            stdout=out,
            stderr=log,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
        )
    try:
        yield Server(process=process, port=port, folder=folder, grpc_port=grpc_port)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Server]:
    """Start a server that answers requests."""
    with launched(folder, *flags) as server:
        server.wait_until_listening()
        yield server


def config_file(folder: Path, *models: str) -> str:
    """Write a model config file and return the flag that names it."""
    path = folder / "models.config"
    path.write_text(
        "model_config_list {\n" + "\n".join(f"config {{ {model} }}" for model in models) + "\n}\n"
    )
    return f"--model_config_file={path}"


def model(name: str, base_path: Path, more: str = "") -> str:
    """Return one entry of a model config file."""
    return f'name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more}'
