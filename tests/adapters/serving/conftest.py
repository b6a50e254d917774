from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.local.modelserver import servers
from tests.support import exports
from tfserving_operator.adapters.serving import client

EXPORT = Path(__file__).with_name("export.py")


@pytest.fixture(scope="session")
def exported() -> Path:
    """The folder of the SavedModels, exported by TensorFlow once per machine."""
    return exports.cached("serving", EXPORT)


@pytest.fixture(scope="session")
def model_server(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("serving")
    names = sorted(path.name for path in exported.iterdir())
    flag = servers.config_file(folder, *(servers.model(name, exported / name) for name in names))
    with servers.running(folder, flag, "--rest_api_num_threads=8") as process:
        yield process


@pytest.fixture(scope="session")
def other_server(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """What the active revision serves under the same names, in the order of candidate and control."""
    folder = tmp_path_factory.mktemp("control")
    pairs = {"renamed": "good", "constant": "good", "good": "renamed", "retrained": "good", "argmax": "words"}
    flag = servers.config_file(
        folder, *(servers.model(name, exported / other) for name, other in pairs.items())
    )
    with servers.running(folder, flag, "--rest_api_num_threads=8") as process:
        yield process


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with client.open_session() as opened:
        yield opened
