"""kubectl on the throwaway cluster, with what it says and its exit code."""

import json
import subprocess
from typing import Any

from local.cluster import api as clusters


def kubectl(
    cluster: clusters.Cluster, *arguments: str, stdin: Any = None
) -> subprocess.CompletedProcess[str]:
    """Run kubectl in the cluster's network; `stdin` is an object for `-f -`."""
    return clusters.run(
        cluster,
        ["kubectl", *arguments],
        check=False,
        input=None if stdin is None else json.dumps(stdin),
        capture_output=True,
    )
