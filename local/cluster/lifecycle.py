"""Starts a cluster, also on the remains of an earlier one, and takes it away without remains."""

import dataclasses
import json
import os
import shutil
import time
from pathlib import Path

from local import cache
from local import progress as progresses
from local.cluster import (
    binaries,
    certificates,
    cgroups,
    components,
    configuration,
    containers,
    namespaces,
    node,
    prerequisites,
    readiness,
)
from local.cluster import layout as layouts
from local.images import made

START_SECONDS = 10.0
"""How long the node's first process may take to be there."""

PRIVATE_FOLDERS = ("/run/containerd", "/run/netns", "/var/lib/cni", "/var/log/containers")
"""Folders that are empty in every node at its start, and nobody else's."""


def up(layout: layouts.Layout, progress: progresses.Progress) -> None:
    """Make the cluster ready: does nothing when it is, and restarts what is half dead."""
    prerequisites.ensure(progress)
    programs = binaries.ensure(binaries.KUBERNETES, progress)
    binaries.ensure(binaries.HELM, progress)
    with cache.lock(layout.command_lock):
        if _may_be_alive(layout):
            try:
                readiness.wait_until_ready(layout, programs, progress, seconds=readiness.PATIENCE_SECONDS)
            except TimeoutError as error:
                progress.say(f"the running node does not get ready ({error}): it is started again")
            else:
                return
        _end_node(layout)
        _start(layout, programs, progress)
        readiness.wait_until_ready(layout, programs, progress, seconds=readiness.READY_SECONDS)


def down(layout: layouts.Layout, progress: progresses.Progress, *, purge: bool = False) -> None:
    """Take the cluster away; it is an error neither when nothing of it is there nor when only parts are.

    Parameters
    ----------
    layout
        Which cluster.
    progress
        Where it is told.
    purge
        Whether logs and imported images go too.
    """
    if not any(path.exists() for path in (layout.state, layout.run, layout.netns)):
        progress.say("there is no cluster")
        return
    with cache.lock(layout.command_lock):
        _end_node(layout)
        others = namespaces.processes_in_network(layout)
        if others:
            progress.say(f"not ended, as others started them in the cluster's network: PIDs {others}")
        namespaces.remove_network(layout)
        shutil.rmtree(layout.run, ignore_errors=True)
        kept = set() if purge else {layout.logs, layout.containerd, layout.loaded}
        for path in set(layout.state.iterdir()) - kept - {layout.command_lock}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if purge:
            shutil.rmtree(layout.state)
        progress.say("the cluster is gone")


def is_ours(layout: layouts.Layout) -> bool:
    """Whether this very process has started the cluster."""
    return layout.starter.exists() and layout.starter.read_text() == str(os.getpid())


def _may_be_alive(layout: layouts.Layout) -> bool:
    """Whether there is a node that could be ready; not one whose files or network somebody deleted."""
    pid = namespaces.node_pid(layout)
    if pid is None or not namespaces.is_in_network(layout, pid):
        return False
    return layout.kubeconfig.exists() and layout.etcd.exists()


def _end_node(layout: layouts.Layout) -> None:
    namespaces.kill_node(layout)
    cgroups.remove(layout.title)


def _start(layout: layouts.Layout, programs: Path, progress: progresses.Progress) -> None:
    is_new = not layout.etcd.exists()
    layout.state.mkdir(parents=True, exist_ok=True)
    layout.starter.write_text(str(os.getpid()))
    progress.say(f"starting {'a new' if is_new else 'the'} node, id {layout.id}, logs in {layout.logs}")
    if is_new:
        shutil.rmtree(layout.logs, ignore_errors=True)
        shutil.rmtree(layout.pki, ignore_errors=True)
    shutil.rmtree(layout.run, ignore_errors=True)  # sockets that nobody listens on any more
    folders = (
        layout.run,
        layout.logs / "pods",
        layout.containerd,
        layout.kubelet,
        layout.etcd,
        layout.config,
    )
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    layout.etcd.chmod(0o700)
    if not (layout.pki / f"{certificates.FRONT_PROXY}.crt").exists():  # the last one written
        certificates.write_all(layout.pki)
    configuration.write_all(layout)
    spec = layout.config / "node.json"
    spec.write_text(json.dumps(_build_spec(layout, programs), indent=2))
    namespaces.create_network(layout)
    cgroups.create(layout.title)
    namespaces.start_node(layout, spec)
    start_deadline = time.monotonic() + START_SECONDS

    def problem() -> str:
        if time.monotonic() > start_deadline and namespaces.node_pid(layout) is None:
            raise RuntimeError(f"the node did not start\n{readiness.last_lines(layout)}")
        return "" if node.is_listening(str(layout.containerd_socket)) else "containerd does not listen"

    readiness.wait(problem, time.monotonic() + readiness.READY_SECONDS, layout)
    containers.import_archive(layout, made.pause())


def _build_spec(layout: layouts.Layout, programs: Path) -> dict[str, object]:
    """Return what the node's first process is told; mount points are created on the way."""
    binds = {str(layout.kubelet): "/var/lib/kubelet", str(layout.logs / "pods"): "/var/log/pods"}
    for folder in (*PRIVATE_FOLDERS, *binds.values()):
        Path(folder).mkdir(parents=True, exist_ok=True)
    containerd = prerequisites.find("containerd") or "containerd"
    built = components.build_components(layout, programs, containerd)
    return {
        "lock": str(layout.node_lock),
        "logs": str(layout.logs),
        "path": f"{programs}:{prerequisites.SEARCH_PATH}",
        "private": PRIVATE_FOLDERS,
        "binds": binds,
        "components": [dataclasses.asdict(component) for component in built],
    }
