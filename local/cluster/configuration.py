"""Renders the configuration files of the node's components."""

import base64
import string
from pathlib import Path

from local.cluster import layout as layouts

PAUSE_IMAGE = "tfserving.dev/pause:1"
"""The image of every Pod's sandbox, built on this machine."""

CNI_BIN = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins are."""

FILES = ("audit-policy.yaml", "containerd.toml", "10-pods.conflist", "kubelet.yaml", "kube-proxy.yaml")
"""The templates that become files of the same name."""

KUBECONFIGS = ("controller-manager", "scheduler", "kubelet", "kube-proxy")
"""The components that talk to the API server."""


def render_files(layout: layouts.Layout) -> dict[str, str]:
    """Return the text of every configuration file that holds no key, by name."""
    values = _values(layout)
    return {name: _template(name).substitute(values) for name in FILES}


def render_kubeconfig(layout: layouts.Layout, user: str) -> str:
    """Return the kubeconfig of one of the users that have a certificate."""
    return _template("kubeconfig.yaml").substitute(
        _values(layout),
        user=user,
        authority=_base64(layout.pki / "ca.crt"),
        certificate=_base64(layout.pki / f"{user}.crt"),
        key=_base64(layout.pki / f"{user}.key"),
    )


def write_all(layout: layouts.Layout) -> None:
    """Write all configuration files; the certificates have to be there."""
    layout.config.mkdir(parents=True, exist_ok=True)
    for name, text in render_files(layout).items():
        (layout.config / name).write_text(text)
    for user in KUBECONFIGS:
        _write_private(layout.config / f"{user}.kubeconfig", render_kubeconfig(layout, user))
    _write_private(layout.kubeconfig, render_kubeconfig(layout, "admin"))


def _values(layout: layouts.Layout) -> dict[str, str]:
    return {
        "api_port": str(layouts.API_PORT),
        "cni_bin": CNI_BIN,
        "config": str(layout.config),
        "containerd_root": str(layout.containerd),
        "containerd_socket": str(layout.containerd_socket),
        "dns_ip": layouts.DNS_IP,
        "node_ip": layouts.NODE_IP,
        "node_name": layouts.NODE_NAME,
        "pause_image": PAUSE_IMAGE,
        "pki": str(layout.pki),
        "pod_cidr": layouts.POD_CIDR,
        "title": layout.title,
    }


def _template(name: str) -> string.Template:
    return string.Template((Path(__file__).parent / "templates" / name).read_text())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
