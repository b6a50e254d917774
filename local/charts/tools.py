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

PROMTOOL = binaries.Toolset(
    title="promtool",
    folder=Path(__file__).parent / "promtool",
    module="github.com/prometheus/prometheus",
    version_variables=("github.com/prometheus/common/version.Version={version}",),
    tags=("remove_all_sd",),
)
"""promtool, without the clients of every cloud's service discovery."""

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


def ensure_promtool() -> Path:
    """Return the path of promtool, built first when it is not in the cache."""
    return binaries.ensure(PROMTOOL, progresses.Progress(name="chart")) / "promtool"


def ensure_kubeconform() -> Path:
    """Return the path of kubeconform, built first when it is not in the cache."""
    return binaries.ensure(KUBECONFORM, progresses.Progress(name="chart")) / "kubeconform"
