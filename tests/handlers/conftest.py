"""The operator's process beside an API server of its own."""

from collections.abc import Iterator

import pytest

from tests.support import control_plane, processes


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """An API server with our CRD."""
    with control_plane.running(tmp_path_factory.mktemp("api")) as server:
        server.install_crd()
        yield server


@pytest.fixture
def running(
    api: control_plane.ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[processes.Operators]:
    """A namespace, and operators in it."""
    with api.fresh_namespace() as namespace:
        started = processes.Operators(
            api=api, namespace=namespace, folder=tmp_path_factory.mktemp("operator")
        )
        try:
            yield started
        finally:
            started.kill_all()
