"""The real metrics-server as a process beside the throwaway cluster, behind its API server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.cluster import api as clusters
from local.podmetrics import tools
from tests.support import lab as labs

GROUP = "metrics.k8s.io"
SERVICE = f"apiservice/v1beta1.{GROUP}"
PORT = 4443
"""In the cluster's own network."""
RESOLUTION = "10s"
"""The shortest that metrics-server takes."""

_WHERE = {"namespace": "kube-system", "name": "metrics-server"}


def _objects(address: str) -> list[dict[str, Any]]:
    """What leads the API server to the process: the first one is to go first."""
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{GROUP}"},
        "spec": {
            "service": _WHERE,
            "group": GROUP,
            "version": "v1beta1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    ports = [{"name": "https", "port": 443, "targetPort": PORT}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": _WHERE, "spec": {"ports": ports}}
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**_WHERE, "labels": {"kubernetes.io/service-name": _WHERE["name"]}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": PORT}],
        "endpoints": [{"addresses": [address]}],
    }
    return [service, slices, api]


@contextmanager
def serving(lab: labs.Lab, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`metrics.k8s.io` served by a process, until it is taken away again."""
    program, cluster = tools.ensure_metrics_server(), lab.cluster
    who = [f"--{use}kubeconfig={cluster.kubeconfig}" for use in ("", "authentication-", "authorization-")]
    arguments = [
        *(program, *who, f"--metric-resolution={RESOLUTION}", "--kubelet-request-timeout=5s"),
        *(f"--bind-address={cluster.node_ip}", f"--secure-port={PORT}", f"--cert-dir={folder}"),
        f"--kubelet-certificate-authority={cluster.kubeconfig.parent / 'pki' / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
    ]
    path = folder / "metrics-server.log"
    with path.open("wb") as log:
        process = subprocess.Popen(clusters.command(cluster, arguments), stdout=log, stderr=subprocess.STDOUT)
    try:
        # An API that is told of before it answers is asked again only half a minute later
        labs.wait_for("metrics-server", lambda: "Serving securely" in path.read_text())
        lab.apply(*_objects(cluster.node_ip))
        lab.access.kubectl("wait", "--for=condition=Available", SERVICE, "--timeout=60s")
        yield process
    finally:
        # First of all, since no namespace can be deleted while an API is told of that does not answer
        lab.access.kubectl("delete", SERVICE, "--ignore-not-found")
        where = ("-n", _WHERE["namespace"], "--ignore-not-found")
        lab.access.kubectl("delete", f"service/{_WHERE['name']}", f"endpointslice/{_WHERE['name']}", *where)
        process.terminate()
        process.wait(30)
