"""Prints whether a server that batches stays Ready while as many slow requests are in flight as fill its batches.

``python -m benchmarks.slow_requests [--in-flight 64] [--seconds 30]``: a digit classifier of the demo on the development
model server, with the operator's own flags for ``spec.server.batching`` and a kubelet's readiness probe beside the load;
then with fewer threads, as the server and the operator without batching would have.
``TENSORFLOW_MODEL_SERVER`` may name another server, such as the original.
"""

import argparse
import contextlib
import functools
import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import loads
from local import progress as progresses
from local.demo import models
from tfserving_operator.api import types
from tfserving_operator.core import snapshot, workloads

_PODS_OWN = (
    "port",
    "rest_api_port",
    "model_config_file",
    "monitoring_config_file",
    "batching_parameters_file",
)
_OWNER = snapshot.Owner(name="digits", namespace="default", uid="0", generation=1)


@dataclass(kw_only=True, slots=True)
class Probe:
    """A kubelet's readiness probe: not Ready after so many failures in a row, Ready again after one success."""

    spec: dict[str, Any]
    port: int
    asked: int = 0
    failed: int = 0
    dropped: int = 0
    """How often the pod would have left its Service."""
    slowest_seconds: float = 0.0

    def run(self, until: float) -> None:
        """Probe until a moment."""
        in_a_row = 0
        path = self.spec["httpGet"]["path"]
        while (began := time.monotonic()) < until:
            status = 0
            with contextlib.suppress(OSError, ValueError, IndexError):
                status, _ = loads.ask_once(self.port, loads.get(path), seconds=self.spec["timeoutSeconds"])
            took = time.monotonic() - began
            self.asked += 1
            self.slowest_seconds = max(self.slowest_seconds, took)
            in_a_row = 0 if status == 200 else in_a_row + 1
            self.failed += in_a_row > 0
            self.dropped += in_a_row == self.spec["failureThreshold"]
            time.sleep(max(0.0, self.spec["periodSeconds"] - took))


def _spec(batch_size: int, timeout_seconds: float) -> types.Spec:
    return types.parse_spec(
        {
            "model": {"name": loads.MODEL, "uri": "pvc://models", "version": models.VERSIONS[-1]},
            "server": {
                "image": "x",
                "batching": {"maxBatchSize": batch_size, "batchTimeoutMicros": int(timeout_seconds * 1e6)},
            },
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        }
    )


def _container(spec: types.Spec) -> dict[str, Any]:
    built = workloads.build_deployment(
        owner=_OWNER,
        spec=spec,
        policy=snapshot.Policy(inspect_image="x"),
        revision="r",
        replicas=1,
        colocate=False,
    )
    container: dict[str, Any] = built["spec"]["template"]["spec"]["containers"][0]
    return container


def _flags(container: dict[str, Any], parameters: Path, threads: int | None) -> list[str]:
    """The pod's arguments, but for its files and ports; with other numbers of threads where they are given."""
    kept = [a for a in container["args"] if a.removeprefix("--").partition("=")[0] not in _PODS_OWN]
    more = [f"--rest_api_num_threads={threads}", f"--grpc_max_threads={threads}"] if threads else []
    return [*kept, f"--batching_parameters_file={parameters}", *more]


def measure(arguments: argparse.Namespace, folder: Path, threads: int | None) -> str:
    """Load a server and probe it; a line about both."""
    digits = models.ensure(progresses.Progress(name="benchmark"))
    spec = _spec(arguments.batch_size, arguments.slow_seconds)
    container = _container(spec)
    parameters = folder / "batching.config"
    built = workloads.build_config_map(owner=_OWNER, spec=spec, revision="r")
    parameters.write_text(built["data"]["batching.config"])
    body = loads.post(json.dumps({"instances": [digits.images[0]]}).encode())
    flags = _flags(container, parameters, threads)
    with loads.started(digits.folder / models.MODEL, folder / "log", *flags) as server:
        probe = Probe(spec=container["readinessProbe"], port=server.rest_port)
        while not _is_up(probe):
            time.sleep(0.05)
        until = time.monotonic() + arguments.seconds
        probing = threading.Thread(target=probe.run, args=(until,))
        probing.start()
        client = functools.partial(loads.rest_client, server.rest_port, body)
        figures = loads.closed_loop([client] * arguments.in_flight, arguments.seconds)
        probing.join()
    shown = next(f for f in reversed(flags) if f.startswith("--rest_api_num_threads=")).partition("=")[2]
    return (
        f"{shown:>4} threads: {figures.line(f'{arguments.in_flight} in flight', arguments.seconds)}; "
        f"{probe.asked} probes, {probe.failed} failed, slowest {probe.slowest_seconds:.2f} s, "
        f"left its Service {probe.dropped} times"
    )


def _is_up(probe: Probe) -> bool:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return loads.ask_once(probe.port, loads.get(probe.spec["httpGet"]["path"]))[0] == 200
    return False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument(
        "--batch-size", type=int, default=128, help="of a full batch: more than are in flight"
    )
    parser.add_argument("--slow-seconds", type=float, default=4.0, help="that a batch waits for more rows")
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for threads in (None, 16, 4):
            print(measure(arguments, Path(folder), threads), flush=True)


if __name__ == "__main__":
    main()
