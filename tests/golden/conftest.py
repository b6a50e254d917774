from pathlib import Path

import pytest

from tests.support import exports


@pytest.fixture(scope="session")
def models() -> Path:
    """Models that TensorFlow exported: linear/1, linear/2 (a weight apart) and words/1."""
    return exports.cached("golden", Path(__file__).with_name("export.py"))
