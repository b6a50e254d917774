"""A quick run of the calibration: real servers under the kernel's limits, a little below the floor and as recommended."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import limits, memory_floor
from local import cache
from tfserving_operator import inspector
from tfserving_operator.core import memory, quantities
from tfserving_operator.inspector import command
from tfserving_operator.inspector import limits as limited

NAMES = ("dense-16", "constant-4")
EXPORTER = Path(limits.__file__).with_name("export_sized_models.py")


@pytest.fixture(scope="module")
def models() -> Path:
    """The models, exported by TensorFlow once per machine."""

    def export(target: Path) -> None:
        program = [sys.executable, "-m", "benchmarks.export_sized_models", target, *NAMES]
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(program, check=True, capture_output=True, env=quiet, cwd=EXPORTER.parents[1])

    return cache.entry(
        cache.root() / "tests" / f"sized-{cache.digest_of((EXPORTER.read_bytes(), *NAMES))}", export
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_not_loaded_below_its_floor_and_answers_under_the_recommended_limit(
    name, models, tmp_path
):
    row = json.dumps({"instances": [[0.0] * memory_floor.WIDTH]}).encode()
    subject = limits.Subject(name=name, folder=models / name, request=row, flags=memory_floor.FLAGS)
    found = command.inspect(models / name, 1)
    told = limited.compared(found, inspector.Limit(), has_passed=False)
    floor = told.memory_floor
    below = limits.attempt(subject, floor * 95 // 100, tmp_path / "log")
    assert below.outcome in {limits.Outcome.Killed, limits.Outcome.Slow}
    recommended = memory.recommended_limit(floor_bytes=floor, need_bytes=told.memory_need)
    assert recommended is not None
    enough = limits.attempt(subject, int(quantities.parse_quantity(recommended)), tmp_path / "log")
    assert enough.outcome is limits.Outcome.Answered, (tmp_path / "log").read_text()[-2000:]
