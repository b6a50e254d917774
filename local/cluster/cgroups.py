"""The cgroups of one cluster: a folder of its own below the root of every hierarchy.

Proved on cgroup v1 (driver ``cgroupfs``). On v2 the same is done in the one hierarchy; that is untested.
"""

import contextlib
import time
from pathlib import Path

REMOVAL_SECONDS = 10
"""How long a cgroup may stay busy after its last process got SIGKILL."""


def hierarchies() -> list[Path]:
    """Return where the cgroup hierarchies are mounted: many for v1, one for v2."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        if after.split(" ", 1)[0] in {"cgroup", "cgroup2"}:
            found.append(Path(before.split(" ")[4]))
    return found


def create(name: str) -> None:
    """Create the cluster's cgroup in every hierarchy, ready to hold children."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # v1 starts them empty, and then refuses processes
            if (group / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((hierarchy / setting).read_text())
        for parent in (hierarchy, group):
            _delegate(parent)


def _delegate(group: Path) -> None:
    """Let the children of a v2 cgroup use its controllers; v1 has no such file."""
    switch = group / "cgroup.subtree_control"
    if not switch.exists():
        return
    for controller in (group / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # one that a real-time task blocks is no reason to refuse the rest
            switch.write_text(f"+{controller}")


def remove(name: str) -> None:
    """Remove the cluster's cgroups; their processes have to be dead."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    for hierarchy in hierarchies():
        while not _remove_tree(hierarchy / name):
            if time.monotonic() > deadline:
                msg = f"{hierarchy / name} is still busy"
                raise TimeoutError(msg)
            time.sleep(0.1)


def _remove_tree(group: Path) -> bool:
    """Remove a cgroup from its leaves up; files in it cannot and need not be removed."""
    if not group.is_dir():
        return True
    children = [_remove_tree(child) for child in group.iterdir() if child.is_dir()]
    if not all(children):
        return False
    try:
        group.rmdir()
    except OSError:
        return False
    return True
