"""Golden manifests: files under tests/data/output that builders are held to."""

import difflib
import json
import os
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "data" / "output"


def assert_golden(name: str, *manifests: dict[str, Any]) -> None:
    """Hold manifests to a golden file; with GOLDEN=write in the environment, write it instead."""
    # Through JSON: only what goes over the wire counts, and YAML needs no anchors
    got = yaml.safe_dump_all(json.loads(json.dumps(manifests)), sort_keys=False, width=110)
    path = FOLDER / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(got)
    want = path.read_text()
    lines = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "built", lineterm="")
    assert got == want, "\n".join(lines)
