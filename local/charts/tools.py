"""Programs that judge the chart: network policies, alert rules and manifests."""

from pathlib import Path

from local import progress as progresses
from local.cluster import binaries

CYCLONUS = binaries.Toolset(
    title="cyclonus",
    folder=Path(__file__).parent / "cyclonus",
    module="github.com/mattfenwick/cyclonus",
    version_variables=(),
)
"""cyclonus, which evaluates NetworkPolicies without a cluster."""

PROMETHEUS = binaries.Toolset(
    title="Prometheus",
    folder=Path(__file__).parent / "prometheus",
    module="github.com/prometheus/prometheus",
    version_variables=("github.com/prometheus/common/version.Version={version}",),
    tags=("remove_all_sd",),
)
"""prometheus and promtool, without pages and without the clients of every cloud's service discovery."""

KUBECONFORM = binaries.Toolset(
    title="kubeconform",
    folder=Path(__file__).parent / "kubeconform",
    module="github.com/yannh/kubeconform",
    version_variables=("main.version={version}",),
)
"""kubeconform, which holds manifests against schemas."""


def ensure_cyclonus() -> Path:
    """Return the path of cyclonus, built first when it is not in the cache."""
    return binaries.ensure(CYCLONUS, progresses.Progress(name="chart")) / "cyclonus"


def ensure_prometheus() -> Path:
    """Return the folder of prometheus and promtool, built first when they are not in the cache."""
    return binaries.ensure(PROMETHEUS, progresses.Progress(name="chart"))


def ensure_kubeconform() -> Path:
    """Return the path of kubeconform, built first when it is not in the cache."""
    return binaries.ensure(KUBECONFORM, progresses.Progress(name="chart")) / "kubeconform"
