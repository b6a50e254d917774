"""The cluster and an operator for end-to-end tests; skipped with a reason nowhere: they run or fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import lab as labs

LAST = "test_rights.py"
"""It looks back on all the others."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the look back behind all other end-to-end tests, and remember which there are before any is deselected."""
    places = [number for number, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ours = sorted((items[place] for place in places), key=lambda item: item.path.name == LAST)
    config.stash[labs.COLLECTED] = [item.nodeid for item in ours]
    for place, item in zip(places, ours, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[labs.Lab]:
    """The cluster with everything installed, and a running operator."""
    made = labs.build(tmp_path_factory.mktemp("lab"))
    try:
        made.start()
        yield made
    finally:
        labs.clean(made)


@pytest.fixture(scope="module", autouse=True)
def given_back(lab: labs.Lab) -> Iterator[None]:
    """Each module finds an operator at work; the node has few CPUs, so what its tests have started ends with them."""
    if lab.process is None or lab.process.poll() is not None:
        lab.process = None
        lab.start()
    before = tuple(lab.namespaces)
    yield
    lab.delete_namespaces([name for name in lab.namespaces if name not in before])


@pytest.fixture
def running(lab: labs.Lab) -> labs.Lab:
    """The lab with its operator up, whatever the test before did."""
    if lab.process is None or lab.process.poll() is not None:
        lab.process = None
        lab.start()
    return lab
