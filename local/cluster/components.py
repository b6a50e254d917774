"""The processes of the node: what starts each of them, and what it waits for."""

import dataclasses
from pathlib import Path

from local.cluster import layout as layouts

ETCD_PORT = 2379
"""etcd's port on the loopback address of the node's network namespace."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A process that the node starts, and starts again when it ends."""

    name: str
    argv: list[str]
    waits_for: str = ""
    """An ``address:port`` that has to accept a connection first, or an https URL that has to answer 200."""
    authority: str = ""
    """The certificate authority of that URL."""


def build_components(layout: layouts.Layout, binaries: Path, containerd: str) -> list[Component]:
    """Return the node's components, in the order of their start.

    Parameters
    ----------
    layout
        Whose components.
    binaries
        The folder of the programs built from Go modules.
    containerd
        Path of containerd.
    """
    config = layout.config
    after_api = {
        "waits_for": f"https://{layouts.NODE_IP}:{layouts.API_PORT}/readyz",
        "authority": f"{layout.pki}/ca.crt",
    }
    return [
        Component(name="containerd", argv=[containerd, "--config", f"{config}/containerd.toml"]),
        Component(name="etcd", argv=[f"{binaries}/etcd", *_etcd_flags(layout)]),
        Component(
            name="kube-apiserver",
            argv=[f"{binaries}/kube-apiserver", *_apiserver_flags(layout)],
            waits_for=f"127.0.0.1:{ETCD_PORT}",
        ),
        Component(
            name="kube-controller-manager",
            argv=[f"{binaries}/kube-controller-manager", *_controller_manager_flags(layout)],
            **after_api,
        ),
        Component(
            name="kube-scheduler",
            argv=[f"{binaries}/kube-scheduler", *_control_flags(layout, "scheduler")],
            **after_api,
        ),
        Component(
            name="kubelet",
            argv=[
                f"{binaries}/kubelet",
                f"--config={config}/kubelet.yaml",
                f"--kubeconfig={config}/kubelet.kubeconfig",
                f"--hostname-override={layouts.NODE_NAME}",
                f"--node-ip={layouts.NODE_IP}",
            ],
            **after_api,
        ),
        Component(
            name="kube-proxy",
            argv=[f"{binaries}/kube-proxy", f"--config={config}/kube-proxy.yaml"],
            **after_api,
        ),
    ]


def _etcd_flags(layout: layouts.Layout) -> list[str]:
    url = f"http://127.0.0.1:{ETCD_PORT}"
    return [
        f"--data-dir={layout.etcd}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # thrown away after use: losing it with the machine's power is fine
        "--log-level=warn",
    ]


def _apiserver_flags(layout: layouts.Layout) -> list[str]:
    pki = layout.pki
    return [
        f"--advertise-address={layouts.NODE_IP}",
        f"--bind-address={layouts.NODE_IP}",
        f"--secure-port={layouts.API_PORT}",
        f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}",
        f"--service-cluster-ip-range={layouts.SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        # Further API servers, such as metrics-server, believe it who asks
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-accounts.key",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        f"--audit-policy-file={layout.config}/audit-policy.yaml",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=4000",  # MB; a rotation would break counts
    ]


def _control_flags(layout: layouts.Layout, user: str) -> list[str]:
    kubeconfig = f"{layout.config}/{user}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _controller_manager_flags(layout: layouts.Layout) -> list[str]:
    return [
        *_control_flags(layout, "controller-manager"),
        "--use-service-account-credentials=true",
        f"--root-ca-file={layout.pki}/ca.crt",
        f"--service-account-private-key-file={layout.pki}/service-accounts.key",
    ]
