"""SavedModels that TensorFlow exports in a process of its own, once per machine."""

import os
import subprocess
import sys
from pathlib import Path

from local import cache


def cached(name: str, script: Path) -> Path:
    """The folder that a script has filled; made anew when the script changes."""

    def export(target: Path) -> None:
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(
            [sys.executable, script, target], env=quiet, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]

    return cache.entry(cache.root() / "tests" / f"{name}-{cache.digest_of_paths([script])}", export)
