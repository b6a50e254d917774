from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver import servers
from tests.support import exports

EXPORT = Path(__file__).with_name("export.py")
EXPORT_INFERENCE = Path(__file__).with_name("export_inference.py")
EXPORT_BATCHING = Path(__file__).with_name("export_batching.py")


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the SavedModels, exported by TensorFlow once per machine."""
    return exports.cached("modelserver", EXPORT)


@pytest.fixture(scope="session")
def example_models() -> Path:
    """The folder of a model whose signatures take examples."""
    return exports.cached("modelserver-inference", EXPORT_INFERENCE)


@pytest.fixture(scope="session")
def batching_models() -> Path:
    """The folder of the models that tell what they were run on and that answer in every type."""
    return exports.cached("modelserver-batching", EXPORT_BATCHING)


@pytest.fixture(scope="session")
def server(
    models: Path, example_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[servers.Server]:
    """A server of several models, as an operator would start it."""
    folder = tmp_path_factory.mktemp("server")
    flag = servers.config_file(
        folder,
        servers.model(
            "line", models / "line", "model_version_policy { specific { versions: 1 versions: 2 } }"
        ),
        *(servers.model(name, models / name) for name in ("dense", "zoo", "slow", "noindex")),
        servers.model("examples", example_models / "examples"),
    )
    with servers.running(
        folder,
        flag,
        "--file_system_poll_wait_seconds=0",
        "--rest_api_num_threads=16",
        "--grpc_max_threads=64",
    ) as process:
        yield process


@pytest.fixture(scope="session")
def loading_models() -> Path:
    """The folder of the models of the tests about loading."""
    return exports.cached("modelserver-loading", EXPORT.with_name("export_loading.py"))


@pytest.fixture
def line_flags(models: Path) -> list[str]:
    """The flags of a server of one model."""
    return ["--model_name=line", f"--model_base_path={models / 'line'}"]
