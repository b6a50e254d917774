"""An API server that really calls the webhook, as the chart configures it."""

from collections.abc import Iterator

import pytest

from tests.support import control_plane


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """An API server without our CRD; each module brings the definition and the webhook that it needs."""
    with control_plane.running(tmp_path_factory.mktemp("api")) as server:
        yield server
