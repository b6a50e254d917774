"""The program that serves ``metrics.k8s.io``."""

from pathlib import Path

from local import progress as progresses
from local.cluster import binaries

METRICS_SERVER = binaries.Toolset(
    title="metrics-server",
    folder=Path(__file__).parent / "server",
    module="sigs.k8s.io/metrics-server",
    version_variables=("k8s.io/client-go/pkg/version.gitVersion={version}",),
)
"""metrics-server, which asks kubelets what pods take and answers for all of them."""


def ensure_metrics_server() -> Path:
    """Return the path of metrics-server, built first when it is not in the cache."""
    return binaries.ensure(METRICS_SERVER, progresses.Progress(name="cluster")) / "metrics-server"
