"""Prints figures of the development model server: time to the first answer, anonymous memory, predictions per second.

``python -m benchmarks.modelserver [--base-path FOLDER --instances JSON] [--rate 1000]``; without a folder, a digit
classifier of the demo. Client and server share the machine, so the rates are lower bounds.
``TENSORFLOW_MODEL_SERVER`` may name another server, such as the original.
"""

import argparse
import contextlib
import functools
import json
import tempfile
import time
from pathlib import Path

from benchmarks import loads
from local import progress as progresses
from local.demo import models

PATH = f"/v1/models/{loads.MODEL}"


def first_answer_seconds(server: loads.Server, began: float) -> float:
    """Wait until the model answers and return how long it took."""
    while server.process.poll() is None:
        with contextlib.suppress(OSError):
            if loads.ask_once(server.rest_port, loads.get(f"{PATH}/metadata"))[0] == 200:
                return time.monotonic() - began
        time.sleep(0.005)
    raise SystemExit("the server ended; see its log")


def input_name(server: loads.Server) -> str:
    """Return the name of the only input of the default signature."""
    _, body = loads.ask_once(server.rest_port, loads.get(f"{PATH}/metadata"))
    signatures = json.loads(body)["metadata"]["signature_def"]["signature_def"]
    (name,) = signatures["serving_default"]["inputs"]
    return str(name)


def measure(server: loads.Server, instances: list[list[float]], arguments: argparse.Namespace) -> None:
    """Load the server over REST, over gRPC and over both."""
    rest = functools.partial(
        loads.rest_client, server.rest_port, loads.post(json.dumps({"instances": instances}).encode())
    )
    request = loads.predict_request(input_name(server), instances)
    unary = functools.partial(loads.grpc_client, server.grpc_port, request)
    for name, clients in (
        *((f"REST, {count} clients", [rest] * count) for count in (1, 8, 32)),
        *((f"gRPC, {count} clients", [unary] * count) for count in (1, 8, 32)),
        ("REST and gRPC, 16 clients each", [rest, unary] * 16),
    ):
        print(loads.closed_loop(clients, arguments.seconds).line(name, arguments.seconds), flush=True)
    figures = loads.Figures()
    until = time.monotonic() + arguments.open_seconds
    loads.open_loop(
        [rest] * 32, rate=arguments.rate, is_over=lambda: time.monotonic() > until, figures=figures
    )
    name = f"REST, {arguments.rate:.0f}/s for {arguments.open_seconds:.0f} s"
    print(figures.line(name, arguments.open_seconds))
    for failure in sorted(set(figures.failures))[:5]:
        print(f"  {failure}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-path", type=Path)
    parser.add_argument("--instances", type=json.loads)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement without a rate")
    parser.add_argument("--open-seconds", type=float, default=30.0, help="of the measurement with a rate")
    parser.add_argument("--rate", type=float, default=1000.0)
    arguments = parser.parse_args()
    base_path, instances = arguments.base_path, arguments.instances
    if base_path is None:
        digits = models.ensure(progresses.Progress(name="benchmark"))
        base_path, instances = digits.folder / models.MODEL, instances or [digits.images[0]]
    with tempfile.TemporaryDirectory() as folder:
        for attempt in ("first", "second"):
            began = time.monotonic()
            with loads.started(base_path, Path(folder) / "log") as server:
                seconds = first_answer_seconds(server, began)
                memory = server.memory_mib()
                print(f"{attempt} start: {seconds:.2f} s to the first answer, {memory:.0f} MiB anonymous")
                if attempt == "second":
                    measure(server, instances, arguments)
                    print(f"after the load: {server.memory_mib():.0f} MiB anonymous")


if __name__ == "__main__":
    main()
