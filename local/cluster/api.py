"""The cluster for tests, the demo and benchmarks: where it is, commands in its network, images."""

import dataclasses
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local import progress as progresses
from local.cluster import binaries, containers, lifecycle, namespaces
from local.cluster import layout as layouts


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A running cluster."""

    id: str
    kubeconfig: Path
    """The administrator's (``system:masters``); works only in the network namespace."""
    netns: Path
    """For ``nsenter --net=``."""
    audit_log: Path
    """One JSON object per request, with ``stageTimestamp``; never a body."""
    bin_dir: Path
    """Holds kubectl and the components."""
    helm_dir: Path
    """Holds helm."""
    node_name: str
    node_ip: str
    logs: Path


def current(name: str | None = None) -> Cluster | None:
    """Return the running cluster of this checkout, if there is one.

    Parameters
    ----------
    name
        A further cluster's name; by default ``$CLUSTER``, else the checkout's own.
    """
    layout = layouts.selected(name)
    return None if namespaces.node_pid(layout) is None else _cluster_of(layout)


def ensure_up(name: str | None = None) -> Cluster:
    """Return this checkout's cluster, started first when it is not ready."""
    layout = layouts.selected(name)
    lifecycle.up(layout, progresses.Progress(name="cluster"))
    return _cluster_of(layout)


def ensure_helm() -> Path:
    """Return the path of helm, built first when it is not in the cache."""
    return binaries.ensure(binaries.HELM, progresses.Progress(name="cluster")) / "helm"


def command(cluster: Cluster, argv: Sequence[str | Path]) -> list[str]:
    """Return a command line that runs another one in the cluster's network."""
    return ["nsenter", f"--net={cluster.netns}", "--", *map(str, argv)]


def environment(cluster: Cluster) -> dict[str, str]:
    """Return this process's environment with the cluster's KUBECONFIG and programs."""
    return dict(os.environ) | exports(cluster)


def exports(cluster: Cluster) -> dict[str, str]:
    """Return the environment variables of a cluster."""
    return {
        "KUBECONFIG": str(cluster.kubeconfig),
        "TFSO_NETNS": str(cluster.netns),
        "TFSO_NODE_IP": cluster.node_ip,
        "TFSO_AUDIT_LOG": str(cluster.audit_log),
        "PATH": f"{cluster.bin_dir}:{cluster.helm_dir}:{os.environ['PATH']}",
    }


def run(
    cluster: Cluster, argv: Sequence[str | Path], *, check: bool = True, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command in the cluster's network, with KUBECONFIG set and kubectl and helm in PATH.

    Parameters
    ----------
    cluster
        Where.
    argv
        The command.
    check
        Whether a failure raises ``subprocess.CalledProcessError``.
    **options
        Further ones of ``subprocess.run``, such as ``capture_output``, ``input``, ``timeout``; it is text.
    """
    settings: dict[str, Any] = {"env": environment(cluster)} | options
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command(cluster, argv), check=check, text=True, **settings
    )
    return done


def load_image(cluster: Cluster, archive: Path) -> bool:
    """Import a docker-archive into the node; False when the node has these images already."""
    return containers.import_archive(_layout_of(cluster), archive)


def has_image(cluster: Cluster, name: str) -> bool:
    """Whether the node has an image of that name and tag."""
    names = containers.image_names(_layout_of(cluster))
    return any(each == name or each.endswith(f"/{name}") for each in names)


def _cluster_of(layout: layouts.Layout) -> Cluster:
    return Cluster(
        id=layout.id,
        kubeconfig=layout.kubeconfig,
        netns=layout.netns,
        audit_log=layout.audit_log,
        bin_dir=binaries.folder_of(binaries.KUBERNETES),
        helm_dir=binaries.folder_of(binaries.HELM),
        node_name=layouts.NODE_NAME,
        node_ip=layouts.NODE_IP,
        logs=layout.logs,
    )


def _layout_of(cluster: Cluster) -> layouts.Layout:
    return layouts.Layout(id=cluster.id, state=cluster.kubeconfig.parent)
