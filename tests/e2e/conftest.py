"""The cluster and an operator for end-to-end tests; skipped with a reason nowhere: they run or fail."""

from collections.abc import Iterator

import pytest

from tests.support import lab as labs


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[labs.Lab]:
    """The cluster with everything installed, and a running operator."""
    made = labs.build(tmp_path_factory.mktemp("lab"))
    try:
        made.start()
        yield made
    finally:
        labs.clean(made)


@pytest.fixture
def running(lab: labs.Lab) -> labs.Lab:
    """The lab with its operator up, whatever the test before did."""
    if lab.process is None or lab.process.poll() is not None:
        lab.process = None
        lab.start()
    return lab
