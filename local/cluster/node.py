"""The first process of a node: mounts, starts the components, starts them again, reaps what is left over.

It runs in PID, mount and network namespaces of its own, with only the standard library, since its life is
the cluster's life. While it lives it holds a lock, from which the kernel tells its PID: a PID from a file
could be stale.
"""

import dataclasses
import fcntl
import http
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

FIRST_RESTART_SECONDS = 0.5
"""How long a component that ended waits for its next start; it doubles while starts fail soon."""

LAST_RESTART_SECONDS = 8.0
"""The longest of these waits."""

STABLE_SECONDS = 20.0
"""A component that ran for this long waits the shortest time again."""

POLL_SECONDS = 0.05
"""How often a component that waits for another one looks for it."""

IDLE_SECONDS = 60.0
"""How long the loop sleeps when it waits for nothing but the end of a process."""

TUNABLES = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
"""What the kubelet would set for the whole machine. It finds these in files that hide the real ones."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Supervised:
    """A component as it stands."""

    name: str
    argv: list[str]
    waits_for: str
    authority: str
    pid: int | None = None
    start_at: float = 0.0
    """Monotonic seconds before which it is not started."""
    started: float = 0.0
    delay_seconds: float = FIRST_RESTART_SECONDS


def main() -> None:
    """Run the node that a JSON file describes; ends only by a signal."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    lock = Path(spec["lock"]).open("w")  # noqa: SIM115  held for as long as this process lives
    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _mount_all(spec)
    waited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    components = [Supervised(**each) for each in spec["components"]]
    while True:
        for component in components:
            if component.pid is None and _may_start(component):
                _start(component, logs=Path(spec["logs"]), path=spec["path"])
        waiting = any(component.pid is None for component in components)
        caught = signal.sigtimedwait(waited, POLL_SECONDS if waiting else IDLE_SECONDS)
        if caught is not None and caught.si_signo == signal.SIGTERM:
            return
        _reap(components)


def _mount_all(spec: dict[str, Any]) -> None:
    """Prepare the node's own view of the file system; it vanishes with the node."""
    _mount("--make-rshared", "/")  # so that volumes with mount propagation work
    for folder in spec["private"]:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for source, target in spec["binds"].items():
        _mount("--bind", source, target)
    hidden = Path("/run/containerd/tunables")
    for name, value in TUNABLES.items():
        file = hidden / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
        _mount("--bind", str(file), f"/proc/sys/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _may_start(component: Supervised) -> bool:
    if time.monotonic() < component.start_at:
        return False
    if component.waits_for.startswith("https:"):
        return _is_ready(component.waits_for, component.authority)
    return is_listening(component.waits_for)


def is_listening(address: str) -> bool:
    """Whether a Unix socket or a TCP address accepts connections; no address is always there."""
    if not address:
        return True
    family = socket.AF_UNIX if address.startswith("/") else socket.AF_INET
    host, _, port = address.rpartition(":")
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        return connection.connect_ex(address if family == socket.AF_UNIX else (host, int(port))) == 0


def _is_ready(url: str, authority: str) -> bool:
    context = ssl.create_default_context(cafile=authority)
    try:
        with urllib.request.urlopen(url, timeout=1, context=context) as response:
            return bool(response.status == http.HTTPStatus.OK)
    except OSError:
        return False


def _start(component: Supervised, *, logs: Path, path: str) -> None:
    log = str(logs / f"{component.name}.log")
    appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    component.pid = os.posix_spawn(
        component.argv[0],
        component.argv,
        {"PATH": path, "HOME": "/root"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, appended, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
    )
    component.started = time.monotonic()
    print(f"{component.name}: started, pid {component.pid} in the node", flush=True)


def _reap(components: list[Supervised]) -> None:
    """Take the exit codes of all processes that ended, also of orphans such as containerd's shims."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for component in components:
            if component.pid == pid:
                _schedule_restart(component, os.waitstatus_to_exitcode(status))


def _schedule_restart(component: Supervised, exit_code: int) -> None:
    now = time.monotonic()
    if now - component.started >= STABLE_SECONDS:
        component.delay_seconds = FIRST_RESTART_SECONDS
    component.pid = None
    component.start_at = now + component.delay_seconds
    print(f"{component.name}: ended with {exit_code}, next start in {component.delay_seconds} s", flush=True)
    component.delay_seconds = min(2 * component.delay_seconds, LAST_RESTART_SECONDS)


if __name__ == "__main__":
    main()
