"""A cluster that the tests started goes with them; one that was up before stays."""

import pytest

from local import progress as progresses
from local.cluster import api as clusters
from local.cluster import layout, lifecycle

_WAS_UP = pytest.StashKey[bool]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note whether this checkout's cluster is up."""
    session.config.stash[_WAS_UP] = clusters.current() is not None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take the cluster down that a test brought up."""
    if not session.config.stash[_WAS_UP] and clusters.current() is not None:
        lifecycle.down(layout.selected(), progresses.Progress(name="cluster"))
