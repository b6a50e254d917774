"""A namespace on a real API server."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.support import apiservers, control_plane
from tfserving_operator.adapters.kube import client as kube


@dataclass(frozen=True, kw_only=True)
class Place:
    """A namespace, and a client that reaches it."""

    namespace: str
    client: kube.Client


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """An API server for this package's tests."""
    with control_plane.running(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
async def place(api: control_plane.ControlPlane) -> AsyncIterator[Place]:
    """A namespace of this test's own."""
    with api.fresh_namespace() as namespace:
        async with apiservers.connected(api.account) as client:
            yield Place(namespace=namespace, client=client)
