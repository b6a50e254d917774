"""One API server for all releases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts import releasing
from tests.support import control_plane


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    with control_plane.running(tmp_path_factory.mktemp("api")) as running:
        for name in ("vision", "speech"):
            running.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield running


@pytest.fixture
def installed(server: control_plane.ControlPlane, tmp_path: Path) -> Iterator[releasing.Installation]:
    yield (made := releasing.Installation(api=server, folder=tmp_path))
    made.helm("uninstall", releasing.RELEASE, "--ignore-not-found")
