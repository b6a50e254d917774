from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver import servers
from tests.support import exports

EXPORT = Path(__file__).with_name("export.py")


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the SavedModels, exported by TensorFlow once per machine."""
    return exports.cached("modelserver", EXPORT)


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server of several models, as an operator would start it."""
    folder = tmp_path_factory.mktemp("server")
    flag = servers.config_file(
        folder,
        servers.model(
            "line", models / "line", "model_version_policy { specific { versions: 1 versions: 2 } }"
        ),
        *(servers.model(name, models / name) for name in ("dense", "zoo", "slow", "noindex")),
    )
    with servers.running(
        folder, flag, "--file_system_poll_wait_seconds=0", "--rest_api_num_threads=16"
    ) as process:
        yield process
