"""The node's namespaces as the machine sees them: its network namespace and its first process."""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from local.cluster import layout as layouts

FLOCK = "@hhqqi4x"
"""The C struct ``flock``: type, whence, start, length, pid."""

LOCAL_TABLE = "100"
"""The routing table of packets that the node itself sends."""

SHIM = "containerd-shim"
"""The start of the name of containerd's shims, which become the first process's children too."""

END_SECONDS = 30
"""How long the kernel may take to end a node's processes."""


def create_network(layout: layouts.Layout) -> None:
    """Create the network namespace with the node's address, unless it is there."""
    path = layout.netns
    if not has_network(layout):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    services = layouts.SERVICE_CIDR
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "replace", f"{layouts.NODE_IP}/32", "dev", "lo"],
        ["ip", "address", "replace", f"{layouts.DNS_IP}/32", "dev", "lo"],
        ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit"],  # else some look-ups are not refused
        # The node's own packets need some route to a Service before kube-proxy's rules see them; what Pods
        # send to an address that is no Service's is refused at once.
        ["ip", "route", "replace", services, "dev", "lo", "table", LOCAL_TABLE],
        ["sh", "-c", f"ip rule | grep -q 'lookup {LOCAL_TABLE}' || ip rule add iif lo lookup {LOCAL_TABLE}"],
        ["ip", "route", "replace", "unreachable", services],
    ):
        subprocess.run([*enter(layout), *command], check=True)


def remove_network(layout: layouts.Layout) -> None:
    """Remove the network namespace, with all interfaces and firewall rules in it."""
    while has_network(layout):
        subprocess.run(["umount", str(layout.netns)], check=True)
    layout.netns.unlink(missing_ok=True)


def has_network(layout: layouts.Layout) -> bool:
    """Whether the network namespace is there; a file of its name alone may be left over."""
    path = layout.netns
    return path.exists() and path.stat().st_dev != path.parent.stat().st_dev


def enter(layout: layouts.Layout) -> list[str]:
    """Return the start of a command line that runs in the network namespace."""
    return ["nsenter", f"--net={layout.netns}", "--"]


def start_node(layout: layouts.Layout, spec: Path) -> None:
    """Start the node's first process; it lives on when this process ends."""
    command = [
        "setsid",
        "--fork",  # so that it is the child of the machine's first process, not of this one
        *enter(layout),
        "unshare",
        "--fork",
        "--pid",
        "--mount-proc",
        "--propagation=slave",
        sys.executable,
        str(Path(__file__).with_name("node.py")),
        str(spec),
    ]
    with (layout.logs / "node.log").open("ab") as log:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")


def node_pid(layout: layouts.Layout) -> int | None:
    """Return the PID of the node's first process, as the kernel tells it from the lock that it holds."""
    if not layout.node_lock.exists():
        return None
    with layout.node_lock.open("r+") as handle:
        question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def is_in_network(layout: layouts.Layout, pid: int) -> bool:
    """Whether a process is in the network namespace that bears the cluster's name."""
    try:
        return Path(f"/proc/{pid}/ns/net").samefile(layout.netns)
    except OSError:  # it has ended, or it is the machine's first process, which nobody may look into
        return False


def processes_in_network(layout: layouts.Layout) -> list[int]:
    """Return the PIDs of the processes in the network namespace."""
    if not has_network(layout):
        return []
    pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return sorted(pid for pid in pids if is_in_network(layout, pid))


def kill_node(layout: layouts.Layout) -> bool:
    """End the node's first process, and with it, by the kernel, every process and mount in the node.

    Returns
    -------
    bool
        Whether there was one.
    """
    pid = node_pid(layout)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if node_pid(layout) != pid:
                return False  # it ended meanwhile, and its PID may be another process's by now
            parent = _parent_of(pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not select.select([handle], [], [], END_SECONDS)[0]:
                msg = f"the node's first process, {pid}, does not end"
                raise TimeoutError(msg)
            _wait_for_launcher(parent)
        finally:
            os.close(handle)
    return True


def component_pids(layout: layouts.Layout) -> dict[str, int]:
    """Return the PIDs, as the machine sees them, of the node's running components by name."""
    pid = node_pid(layout)
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError):
                program = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
                found[Path(program.decode()).name] = int(child)
    return {name: each for name, each in found.items() if not name.startswith(SHIM)}


def _parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


def _wait_for_launcher(pid: int) -> None:
    """Wait until unshare, which only waits for the node, has ended too."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            if b"unshare" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                return
        except FileNotFoundError:
            return
        time.sleep(0.02)
