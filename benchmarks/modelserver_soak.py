"""Swaps versions of a model server that is under constant load, and looks for leaks and for failed requests.

``python -m benchmarks.modelserver_soak --minutes 10 --swaps 200`` publishes 200 versions one after the other, each by
an atomic rename, and removes the version before. Memory is compared between the end of the first tenth of the swaps
and the end, with one version loaded and with none. It ends with 1 when a request failed or memory grew by over 5%.
"""

import argparse
import contextlib
import dataclasses
import functools
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import loads
from local import progress as progresses
from local.demo import models

ALLOWED_GROWTH: Final = 0.05
STATUS: Final = loads.get(f"/v1/models/{loads.MODEL}")
SETTLE_SECONDS: Final = 1.0
"""How long the server may give memory back before it is read."""
SWAP_TIMEOUT_SECONDS: Final = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What one run does.

    Attributes
    ----------
    seconds
        How long all swaps take together, at least.
    swaps
        How many versions follow the first one.
    warm_swaps
        After how many of them memory is read for the first time.
    rest_rate, grpc_rate
        Requests per second.
    """

    seconds: float
    swaps: int
    warm_swaps: int
    rest_rate: float = 200.0
    grpc_rate: float = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
    """Anonymous memory in MiB, with one version and with none."""

    loaded: float
    unloaded: float

    def growth(self, later: "Memory") -> float:
        """Return by how much memory has grown, as a share; the worse of both."""
        return max(later.loaded / self.loaded, later.unloaded / self.unloaded) - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has shown."""

    seconds: float
    before: Memory
    after: Memory
    figures: loads.Figures
    slowest_swap_seconds: float

    def lines(self) -> list[str]:
        """Return the figures for people."""
        return [
            self.figures.line("REST and gRPC during the swaps", self.seconds),
            *(f"  {failure}" for failure in sorted(set(self.figures.failures))[:10]),
            f"slowest swap {self.slowest_swap_seconds:.2f} s",
            f"memory with one version: {self.before.loaded:.1f} MiB, then {self.after.loaded:.1f} MiB",
            f"memory with no version:  {self.before.unloaded:.1f} MiB, then {self.after.unloaded:.1f} MiB",
            f"growth {self.before.growth(self.after):+.1%}",
        ]


class Publisher:
    """Publishes versions of a model below a base path."""

    def __init__(self, source: Path, base_path: Path) -> None:
        self._source = source
        self._base_path = base_path
        self.version = 0

    def publish(self) -> None:
        """Publish the next version whole, by a rename."""
        self.version += 1
        hidden = self._base_path / f".new-{self.version}"
        shutil.copytree(self._source, hidden)
        hidden.rename(self._base_path / str(self.version))

    def remove(self, version: int) -> None:
        """Remove a version whole, by a rename."""
        hidden = self._base_path / f".old-{version}"
        (self._base_path / str(version)).rename(hidden)
        shutil.rmtree(hidden)


def wait_for(server: loads.Server, is_so: Callable[[dict[int, str]], bool]) -> None:
    """Wait until the states of the versions are as they should be."""
    deadline = time.monotonic() + SWAP_TIMEOUT_SECONDS
    while True:
        states = {}
        try:
            _, body = loads.ask_once(server.rest_port, STATUS)
            listed = json.loads(body).get("model_version_status", ())
            states = {int(each["version"]): each["state"] for each in listed}
        except OSError:
            pass
        if is_so(states):
            return
        if time.monotonic() > deadline or server.process.poll() is not None:
            raise SystemExit(f"the server did not load or unload a version: {states}")
        time.sleep(0.02)


def is_swapped(states: dict[int, str], version: int) -> bool:
    """Return whether a version serves, and it alone."""
    return states.get(version) == "AVAILABLE" and all(
        state == "END" for other, state in states.items() if other != version
    )


def swap(server: loads.Server, publisher: Publisher) -> float:
    """Publish the next version, wait until it alone serves, and remove the one before; returns the time it took."""
    began = time.monotonic()
    publisher.publish()
    wait_for(server, functools.partial(is_swapped, version=publisher.version))
    took = time.monotonic() - began
    publisher.remove(publisher.version - 1)
    return took


def read_memory(server: loads.Server, publisher: Publisher) -> Memory:
    """Read memory with one version loaded, unload it, read again, and load the next one."""
    loaded = settled_mib(server)
    publisher.remove(publisher.version)
    wait_for(server, lambda states: all(state == "END" for state in states.values()))
    unloaded = settled_mib(server)
    publisher.publish()
    wait_for(server, functools.partial(is_swapped, version=publisher.version))
    return Memory(loaded=loaded, unloaded=unloaded)


def settled_mib(server: loads.Server) -> float:
    """Return the median of some readings after a pause."""
    time.sleep(SETTLE_SECONDS)
    readings = []
    for _ in range(5):
        readings.append(server.memory_mib())
        time.sleep(0.05)
    return statistics.median(readings)


class VersionCheck:
    """Versions only ever go up for one client, and are of those that are published."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._last = 0

    def __call__(self, answer: Any) -> str:
        """Return what is wrong with an answer, if anything."""
        version = answer.model_spec.version.value
        if not self._last <= version <= self._publisher.version:
            return f"gRPC: version {version} after {self._last}, of {self._publisher.version}"
        self._last = version
        return ""


class Load:
    """Clients over REST and gRPC that ask until they are told to stop."""

    def __init__(
        self, server: loads.Server, publisher: Publisher, row: list[float], name: str, settings: Settings
    ) -> None:
        body = json.dumps({"instances": [row]}).encode()
        rest = functools.partial(loads.rest_client, server.rest_port, loads.post(body))
        request = loads.predict_request(name, [row])

        def unary() -> contextlib.AbstractContextManager[loads.Ask]:
            return loads.grpc_client(server.grpc_port, request, VersionCheck(publisher))

        self.figures = loads.Figures()
        self._kinds = ((rest, settings.rest_rate), (unary, settings.grpc_rate))

    def run_during(self, work: Callable[[], None]) -> None:
        """Ask while something is done."""
        is_over = threading.Event()
        threads = [
            threading.Thread(
                target=loads.open_loop,
                args=([new] * 4,),
                kwargs={"rate": rate, "is_over": is_over.is_set, "figures": self.figures},
            )
            for new, rate in self._kinds
            if rate
        ]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


def soak(
    source: Path, row: list[float], input_name: str, settings: Settings, say: Callable[[str], None]
) -> Outcome:
    """Run a server through all swaps."""
    pause = settings.seconds / settings.swaps
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        base_path = Path(folder) / "model"
        base_path.mkdir()
        publisher = Publisher(source, base_path)
        publisher.publish()
        with loads.started(base_path, Path(folder) / "log") as server:
            wait_for(server, functools.partial(is_swapped, version=1))
            load = Load(server, publisher, row, input_name, settings)

            def swap_often(count: int) -> None:
                for _ in range(count):
                    began = time.monotonic()
                    took.append(swap(server, publisher))
                    time.sleep(max(0.0, pause - (time.monotonic() - began)))
                    if len(took) % 20 == 0:
                        say(f"{len(took)} swaps, {server.memory_mib():.1f} MiB")

            began = time.monotonic()
            load.run_during(lambda: swap_often(settings.warm_swaps))
            spent = time.monotonic() - began
            before = read_memory(server, publisher)
            began = time.monotonic()
            load.run_during(lambda: swap_often(settings.swaps - settings.warm_swaps))
            spent += time.monotonic() - began
            after = read_memory(server, publisher)
    return Outcome(
        seconds=spent, before=before, after=after, figures=load.figures, slowest_swap_seconds=max(took)
    )


def main() -> int:
    """Run the soak and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--rest-rate", type=float, default=200.0)
    parser.add_argument("--grpc-rate", type=float, default=100.0)
    arguments = parser.parse_args()
    settings = Settings(
        seconds=arguments.minutes * 60,
        swaps=arguments.swaps,
        warm_swaps=max(1, arguments.swaps // 10),
        rest_rate=arguments.rest_rate,
        grpc_rate=arguments.grpc_rate,
    )
    digits = models.ensure(progresses.Progress(name="soak"))
    outcome = soak(
        digits.folder / models.MODEL / "1",
        list(digits.images[0]),
        "image",
        settings,
        lambda text: print(text, flush=True),
    )
    print("\n".join(outcome.lines()))
    is_good = not outcome.figures.failures and outcome.before.growth(outcome.after) <= ALLOWED_GROWTH
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
