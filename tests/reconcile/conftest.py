"""A machine with a decision of the test's own, on a real API server."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support import control_plane, workshop


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """An API server with our CRD."""
    with control_plane.running(tmp_path_factory.mktemp("api")) as server:
        server.install_crd()
        yield server


@pytest.fixture
async def shop(api: control_plane.ControlPlane) -> AsyncIterator[workshop.Workshop]:
    """A namespace and a machine."""
    with api.fresh_namespace() as namespace:
        async with workshop.opened(api, namespace) as shop:
            yield shop
