"""Where a cluster keeps what it has, and what its parts on the machine are called."""

import dataclasses
import hashlib
import os
from pathlib import Path

NODE_NAME = "node"
"""The one node's name, also the kubelet's."""

NODE_IP = "10.77.0.1"
"""The node's address. Each cluster has a network namespace of its own, so all of them use the same."""

POD_CIDR = "10.78.0.0/16"
"""Where Pods get their addresses from."""

SERVICE_CIDR = "10.79.0.0/16"
"""Where Services get their addresses from."""

API_SERVICE_IP = "10.79.0.1"
"""The ``kubernetes`` Service: the first address of the Services."""

DNS_IP = "10.79.0.10"
"""What Pods' resolv.conf names: the node's second address, where nothing listens: look-ups fail at once."""

API_PORT = 6443
"""The API server's port on the node's address."""

NAME_VARIABLE = "CLUSTER"
"""The environment variable that names a further cluster of the same checkout."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The paths and names of one cluster; the ``id`` keeps clusters of other checkouts apart."""

    id: str
    state: Path
    """Files that may be long-lived and large; nothing is mounted there as the machine sees it."""

    @property
    def title(self) -> str:
        """The name of the network namespace, the cgroups and the run folder."""
        return f"tfso-{self.id}"

    @property
    def netns(self) -> Path:
        """The network namespace, for ``nsenter --net=``."""
        return Path("/run/netns") / self.title

    @property
    def run(self) -> Path:
        """Sockets and the node's lock: short, because a socket's path has at most 107 bytes."""
        return Path("/run") / self.title

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.run / "containerd.sock"

    @property
    def node_lock(self) -> Path:
        """Locked by the node's first process for as long as it lives."""
        return self.run / "node.lock"

    @property
    def command_lock(self) -> Path:
        """Held by ``up`` and ``down``."""
        return self.state / "command.lock"

    @property
    def starter(self) -> Path:
        """Names the process that started the node, by its PID."""
        return self.state / "starter"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.state / "config"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One log per component, Pods' logs, and the audit log; kept after ``down``."""
        return self.state / "logs"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON object per line."""
        return self.logs / "audit.log"

    @property
    def etcd(self) -> Path:
        """The data of etcd."""
        return self.state / "etcd"

    @property
    def kubelet(self) -> Path:
        """The kubelet's files, /var/lib/kubelet in the node."""
        return self.state / "kubelet"

    @property
    def containerd(self) -> Path:
        """Images and snapshots; kept after ``down``, since importing large images takes long."""
        return self.state / "containerd"

    @property
    def loaded(self) -> Path:
        """Notes of which image was imported under which name."""
        return self.state / "loaded"


def checkout() -> Path:
    """Return the root of the checkout that this code is in."""
    return Path(__file__).resolve().parents[2]


def layout_for(root: Path, name: str = "") -> Layout:
    """Return the layout of a checkout's cluster.

    Parameters
    ----------
    root
        The checkout.
    name
        Empty for the checkout's own cluster, else the name of a further one.
    """
    digest = hashlib.sha256(f"{root}\0{name}".encode()).hexdigest()[:8]
    folder = f"cluster-{name}" if name else "cluster"
    return Layout(id=digest, state=root / "build" / folder)


def selected(name: str | None = None) -> Layout:
    """Return the layout of this checkout's cluster: the named one, else ``$CLUSTER``, else its own."""
    return layout_for(checkout(), os.environ.get(NAME_VARIABLE, "") if name is None else name)
