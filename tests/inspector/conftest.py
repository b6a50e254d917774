from pathlib import Path

import pytest

from tests.support import exports


@pytest.fixture(scope="session")
def graphs() -> Path:
    """One SavedModel for each thing that a graph can show, exported by TensorFlow once per machine."""
    return exports.cached("graphs", Path(__file__).with_name("graphs.py"))
