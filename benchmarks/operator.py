"""What the operator costs: CPU, memory and requests for many ModelDeployments, on a real API server.

etcd and kube-apiserver run alone, on loopback: nobody makes pods, so that each ModelDeployment comes as far as the
objects of its revision. Run it with `python -m benchmarks.operator [--objects N]`, on a machine that has nothing
else to do.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests

from tests.support import control_plane, processes
from tfserving_operator.adapters.kube import resources

NAMESPACES: Final = 10
USERS: Final = 4
"""How many ModelDeployments are sent at a time."""
IDLE_SECONDS: Final = 30
QUIET_SECONDS: Final = 1.5
"""Without a reconciliation for this long, a phase is over; it is taken off its time."""
_SAMPLE: Final = re.compile(r"tfserving_operator_api_requests_total\{(.*)\} (\S+)")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the operator tells of itself."""

    at: float
    cpu_seconds: float
    reconciliations: float
    requests: Counter[str]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The difference between two readings."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    reconciliations: float
    requests: Counter[str]
    peak_mib: float


@dataclass(kw_only=True)
class Bench:
    """One API server, and an operator for all of it."""

    api: control_plane.ControlPlane
    folder: Path
    objects: int

    def start(self) -> processes.Operator:
        """Start an operator, and wait until its caches are filled."""
        (port,) = control_plane.free_ports(1)
        program = Path(sys.executable).with_name("tfserving-operator")
        command = [str(program), "run", "--kubeconfig", str(self.api.kubeconfig), "--http-port", str(port)]
        variables = {
            "TFSERVING_OPERATOR_IMAGE": "operator:bench",
            "POD_NAMESPACE": "default",
            "POD_NAME": "b",
        }
        log = self.folder / f"operator-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=os.environ | variables, stdout=output, stderr=subprocess.STDOUT
            )
        return processes.Operator(process=process, port=port, log=log)

    def each(self, do: Callable[[requests.Session, str, str], None]) -> None:
        """Do something for each ModelDeployment, several at a time."""

        def work(number: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.headers.update(self.api.session.headers)
                session.verify = self.api.session.verify
                for i in range(number, self.objects, USERS):
                    do(session, f"bench-{i % NAMESPACES}", f"model-{i}")

        with ThreadPoolExecutor(USERS) as pool:
            list(pool.map(work, range(USERS)))

    def create(self, session: requests.Session, namespace: str, name: str) -> None:
        """Create a ModelDeployment with a smoke case."""
        path = resources.MODEL_DEPLOYMENTS.path(namespace=namespace)
        case = {"name": "one", "instances": [[0.5] * 64], "expect": {"outputs": {"p": [[0.1] * 10]}}}
        spec = {
            "model": {"uri": f"pvc://models/{name}", "version": 1},
            "server": {"image": "tensorflow/serving:2.19.1"},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
            "smoke": {"cases": [case]},
        }
        manifest = {
            "apiVersion": resources.MODEL_DEPLOYMENTS.api_version,
            "kind": resources.MODEL_DEPLOYMENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        session.post(self.api.account.server + path, json=manifest, timeout=60).raise_for_status()

    def update(self, session: requests.Session, namespace: str, name: str) -> None:
        """Ask for another version."""
        path = resources.MODEL_DEPLOYMENTS.path(namespace=namespace, name=name)
        session.patch(
            self.api.account.server + path,
            json={"spec": {"model": {"version": 2}}},
            headers={"Content-Type": "application/merge-patch+json"},
            timeout=60,
        ).raise_for_status()


def read(operator: processes.Operator) -> Reading:
    """Ask for the metrics; that costs the operator some CPU, too."""
    text = operator.ask("metrics").text
    found: Counter[str] = Counter()
    for labels, value in _SAMPLE.findall(text):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found[f"{named['method']} {named['resource']}"] += int(float(value))
    fields = Path(f"/proc/{operator.process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Reading(
        at=time.monotonic(),
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
        reconciliations=operator.count("tfserving_operator_reconciliations_total"),
        requests=found,
    )


def peak_mib(operator: processes.Operator) -> float:
    """The most memory that the process ever had."""
    text = Path(f"/proc/{operator.process.pid}/status").read_text()
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", text)
    return int(kib) / 1024


def settle(operator: processes.Operator, least: float) -> Reading:
    """Wait until so many reconciliations have been made and no more follow; the last reading before the quiet."""
    last = read(operator)
    while True:
        time.sleep(QUIET_SECONDS)
        now = read(operator)
        if now.reconciliations == last.reconciliations and now.reconciliations >= least:
            return last
        last = now


def phase(name: str, operator: processes.Operator, before: Reading, after: Reading) -> Phase:
    """Take the difference."""
    return Phase(
        name=name,
        wall_seconds=after.at - before.at,
        cpu_seconds=after.cpu_seconds - before.cpu_seconds,
        reconciliations=after.reconciliations - before.reconciliations,
        requests=after.requests - before.requests,
        peak_mib=peak_mib(operator),
    )


def measure(bench: Bench) -> list[Phase]:
    """All phases."""
    operator = bench.start()
    try:
        processes.wait_for(operator.is_ready)
        time.sleep(QUIET_SECONDS)
        start = read(operator)
        bench.each(bench.create)
        created = settle(operator, bench.objects)
        bench.each(bench.update)
        updated = settle(operator, created.reconciliations + bench.objects)
        done = [
            phase("create", operator, start, created),
            phase("another version", operator, created, updated),
        ]
        operator.stop()
        begun = Reading(at=time.monotonic(), cpu_seconds=0.0, reconciliations=0.0, requests=Counter())
        operator = bench.start()
        processes.wait_for(operator.is_ready)
        processes.wait_for(
            lambda: operator.count("tfserving_operator_reconciliations_total") >= bench.objects
        )
        restarted = read(operator)
        done.append(phase("restart", operator, begun, restarted))
        quiet = settle(operator, bench.objects)
        time.sleep(IDLE_SECONDS)
        done.append(phase(f"idle {IDLE_SECONDS} s", operator, quiet, read(operator)))
    finally:
        operator.kill()
    return done


def report(phases: list[Phase], objects: int) -> None:
    """Print the tables."""
    print(f"\n{objects} ModelDeployments\n")
    print(
        f"{'phase':<18}{'wall s':>8}{'CPU s':>8}{'CPU ms/object':>15}{'decisions/object':>18}{'peak MiB':>10}"
    )
    for each in phases:
        print(
            f"{each.name:<18}{each.wall_seconds:>8.1f}{each.cpu_seconds:>8.2f}"
            f"{1000 * each.cpu_seconds / objects:>15.2f}{each.reconciliations / objects:>18.2f}{each.peak_mib:>10.0f}"
        )
    print("\nrequests (per object)")
    for each in phases:
        for name, count in sorted(each.requests.items()):
            print(f"{each.name:<18}{name:<40}{count:>8}{count / objects:>8.2f}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--objects", type=int, default=300)
    objects: int = parser.parse_args().objects
    with tempfile.TemporaryDirectory() as folder, control_plane.running(Path(folder)) as api:
        api.install_crd()
        post: Callable[[str, Any], Any] = partial(api.request, "POST")
        size = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        for number in range(NAMESPACES):
            post("/api/v1/namespaces", {"metadata": {"name": f"bench-{number}"}})
            claims = resources.CLAIMS.path(namespace=f"bench-{number}")
            post(claims, {"metadata": {"name": "models"}, "spec": size})
        report(measure(Bench(api=api, folder=Path(folder), objects=objects)), objects)


if __name__ == "__main__":
    main()
