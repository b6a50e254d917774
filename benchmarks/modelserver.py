"""Prints figures of the development model server: time to the first answer, anonymous memory, predictions per second.

``python -m benchmarks.modelserver [--base-path FOLDER] [--instances JSON]``; without a folder, a digit classifier of
the demo. Client and server share the machine, so the rates are lower bounds.
"""

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from local import progress as progresses
from local.demo import models

PROGRAM = Path(__file__).parents[1] / "local" / "bin" / "tensorflow_model_server"
PATH = "/v1/models/m"


@contextlib.contextmanager
def started(base_path: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server and end it afterwards."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    flags = [
        f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}",
        "--model_name=m",
        f"--model_base_path={base_path}",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAM, *flags], stdout=output, stderr=output)
    try:
        yield process, ports[1]
    finally:
        process.kill()
        process.wait()


class Connection:
    """One kept-alive HTTP connection that costs the client little."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, request: bytes) -> bool:
        """Send a request and return whether the answer was 200."""
        self._socket.sendall(request)
        is_good = b" 200 " in self._file.readline()
        length = 0
        while (line := self._file.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        self._file.read(length)
        return is_good


def post(body: bytes) -> bytes:
    """Return a predict request."""
    return b"POST %b:predict HTTP/1.1\r\nHost: m\r\nContent-Length: %d\r\n\r\n%b" % (
        PATH.encode(),
        len(body),
        body,
    )


def first_answer_seconds(process: subprocess.Popen[bytes], port: int, began: float) -> float:
    """Wait until the model answers and return how long it took."""
    request = f"GET {PATH}/metadata HTTP/1.1\r\nHost: m\r\n\r\n".encode()
    while process.poll() is None:
        with contextlib.suppress(OSError):
            if Connection(port).ask(request):
                return time.monotonic() - began
        time.sleep(0.005)
    raise SystemExit("the server ended; see its log")


def anonymous_mib(process: subprocess.Popen[bytes]) -> float:
    """Return the process's memory that no file backs."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) / 1024


def measure_rate(port: int, request: bytes, *, clients: int, seconds: float) -> str:
    """Load the server with kept-alive clients and return one line of figures."""
    latencies: list[float] = []
    failures: list[int] = []
    until = time.monotonic() + seconds

    def work() -> None:
        connection = Connection(port)
        mine = []
        while (began := time.monotonic()) < until:
            if not connection.ask(request):
                failures.append(1)
            mine.append(time.monotonic() - began)
        latencies.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p99 = statistics.quantiles(latencies, n=100)[98]
    return (
        f"{clients:3d} clients: {len(latencies) / seconds:7.0f} predictions/s, median"
        f" {statistics.median(latencies) * 1e3:6.1f} ms, p99 {p99 * 1e3:6.1f} ms, {len(failures)} failed"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-path", type=Path)
    parser.add_argument("--instances", type=json.loads)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    base_path, instances = arguments.base_path, arguments.instances
    if base_path is None:
        digits = models.ensure(progresses.Progress(name="benchmark"))
        base_path, instances = digits.folder / models.MODEL, instances or [digits.images[0]]
    request = post(json.dumps({"instances": instances}).encode())
    with tempfile.TemporaryDirectory() as folder:
        for attempt in ("first", "second"):
            began = time.monotonic()
            with started(base_path, Path(folder) / "log") as (process, port):
                seconds = first_answer_seconds(process, port, began)
                print(
                    f"{attempt} start: {seconds:.2f} s to the first answer, {anonymous_mib(process):.0f} MiB anonymous"
                )
                if attempt == "first":
                    continue
                for clients in (1, 8, 32):
                    print(measure_rate(port, request, clients=clients, seconds=arguments.seconds))
                print(f"after the load: {anonymous_mib(process):.0f} MiB anonymous")


if __name__ == "__main__":
    main()
