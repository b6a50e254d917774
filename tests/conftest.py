"""A cluster that the tests started goes with them; one that somebody else started stays."""

from local import progress as progresses
from local.cluster import layout, lifecycle


def pytest_sessionfinish() -> None:
    """Take the cluster down that a test brought up."""
    if lifecycle.is_ours(layout.selected()):
        lifecycle.down(layout.selected(), progresses.Progress(name="cluster"))
