"""What promtool says of rules and queries."""

import subprocess
from pathlib import Path

from local.charts import tools


def promtool(*arguments: str | Path) -> str:
    """What promtool says; it must be content."""
    done = subprocess.run(
        [str(tools.ensure_prometheus() / "promtool"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
