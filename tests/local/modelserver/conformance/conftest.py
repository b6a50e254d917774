from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver.conformance import harness
from tests.support import exports

EXPORT = Path(__file__).with_name("export.py")
IN_ONE_SERVER = (
    *("half_plus_two_tf2", "product", "two_signatures", "keras_sequential", "distributed"),
    *("counter", "table_tf1", "table_tf2"),
)


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of the models, exported by TensorFlow once per machine."""
    return exports.cached("modelserver-conformance", EXPORT)


@pytest.fixture(scope="session")
def default(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Server]:
    """A server of the model that most tests of the original ask."""
    flags = harness.base_path(testdata / "half_plus_two")
    with harness.running(tmp_path_factory.mktemp("default"), *flags) as server:
        yield server


@pytest.fixture(scope="session")
def several(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Server]:
    """A server of all models that need no flags of their own."""
    folder = tmp_path_factory.mktemp("several")
    config = folder / "models.config"
    config.write_text(harness.config_text(**{name: testdata / name for name in IN_ONE_SERVER}))
    with harness.running(folder, f"--model_config_file={config}", "--max_num_load_retries=0") as server:
        yield server
