"""Two operators that want the same Lease, and what the API server's audit log says of who wrote when."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from local.demo import audit
from tests.support import control_plane, processes
from tfserving_operator.adapters.kube import resources


@dataclass(frozen=True, kw_only=True)
class Write:
    """A write that the API server has done."""

    user: str
    resource: str
    namespace: str
    received: float
    """Unix seconds."""
    done: float
    holder: str
    """Whom it makes the Lease's holder; "" for other writes and for a Lease that is given back."""


class Log:
    """The writes in a namespace that took effect, read as the audit log grows."""

    def __init__(self, path: Path, namespace: str) -> None:
        self._path = path
        self._namespace = namespace
        self._offset = 0
        self._found: list[Write] = []

    def writes(self) -> list[Write]:
        """All so far, in the order of their ends."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        self._found += (write for line in whole.splitlines() if (write := self._parse(line)) is not None)
        return sorted(self._found, key=lambda write: write.done)

    def _parse(self, line: bytes) -> Write | None:
        if self._namespace.encode() not in line:
            return None
        entry, raw = audit.parse(line), orjson.loads(line)
        is_done = entry.stage == "ResponseComplete" and entry.code // 100 == 2
        if entry.namespace != self._namespace or not is_done:
            return None
        spec = (raw.get("requestObject") or {}).get("spec") or {}
        return Write(
            user=entry.user,
            resource=entry.resource,
            namespace=entry.namespace,
            received=entry.received,
            done=entry.reached,
            holder=spec.get("holderIdentity", "") if entry.resource == "leases" else "",
        )


def terms(found: Iterable[Write]) -> list[Write]:
    """The writes of the Lease by which it came to another holder, and its returns."""
    leases = [write for write in found if write.resource == "leases"]
    return [w for before, w in itertools.pairwise([None, *leases]) if not before or before.holder != w.holder]


def stale(found: Iterable[Write], users: Iterable[str]) -> list[Write]:
    """What a user wrote while another one led: the request arrived after that one's Lease was stored."""
    found, users = list(found), set(users)
    leaders = terms(found)
    wrong = []
    for write in found:
        if write.resource == "leases" or write.user not in users:
            continue
        leader = next((term for term in reversed(leaders) if term.done <= write.received), None)
        if leader is not None and leader.holder and leader.holder != write.user:
            wrong.append(write)
    return wrong


class Rivals:
    """The operators `one` and `two` of one namespace; each is its own user to the API server."""

    def __init__(self, running: processes.Operators, *, lease_seconds: int) -> None:
        self.running = running
        running.settings = {"leaseSeconds": lease_seconds}
        self.alive: dict[str, processes.Operator] = {}
        self._log = Log(running.api.audit_log, running.namespace)

    def start(self, name: str) -> None:
        """Start one."""
        self.alive[name] = self.running.start(name, user=name)

    def revive(self) -> None:
        """Start those anew that have ended, as the kubelet does."""
        for name, operator in list(self.alive.items()):
            if operator.process.poll() is not None:
                self.start(name)

    def wait_for(self, look: Callable[[], Any]) -> None:
        """Wait, however slow the machine is: an operator that loses its Lease for that is started anew."""

        def alive() -> Any:
            self.revive()
            return look()

        processes.wait_for(alive, seconds=120)

    def holder(self) -> str:
        """Who has the Lease; "" while nobody has."""
        leases = self.running.list(resources.LEASES)
        return str(leases[0]["spec"]["holderIdentity"]) if leases else ""

    def writes(self) -> list[Write]:
        """What took effect so far."""
        return self._log.writes()

    def count(self, user: str) -> int:
        """How many writes of a user, but for those of the Lease, took effect so far."""
        return sum(write.user == user and write.resource != "leases" for write in self.writes())


@contextmanager
def churn(api: control_plane.ControlPlane, running: processes.Operators, names: list[str]) -> Iterator[None]:
    """Change models again and again, so that whoever leads has something to write at any time."""
    stop = threading.Event()

    def work() -> None:
        for number, name in enumerate(itertools.cycle(names)):
            if stop.wait(0.02):
                return
            path = running.path(resources.MODEL_DEPLOYMENTS, name)
            api.request("PATCH", path, {"spec": {"replicas": 1 + number % 900}}, patch=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
