"""What the operator was allowed to do is what it did, over the whole run by the API server's audit log.

It runs after all other end-to-end tests (`conftest.py` sees to that).
"""

from pathlib import Path

import pytest
import yaml

from tests.support import lab as labs
from tests.support import rights

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent


def granted(lab: labs.Lab) -> set[rights.Right]:
    """What the release gives the operator, with the values that it was installed with."""
    manifest = lab.access.helm("get", "manifest", labs.RELEASE, "--namespace", labs.SYSTEM)
    account = {"name": labs.RELEASE, "namespace": labs.SYSTEM}
    return rights.granted(yaml.safe_load_all(manifest), account)


def left_out(request: pytest.FixtureRequest) -> set[str]:
    """The end-to-end tests, or whole files of them, that this run does without."""
    collected: list[str] = request.config.stash[labs.COLLECTED]
    running = {item.nodeid for item in request.session.items}
    files = {path.name for path in HERE.glob("test_*.py")}
    return {name for name in collected if name not in running} | (
        files - {Path(name.partition("::")[0]).name for name in collected}
    )


def test_no_request_of_the_operator_was_forbidden(lab: labs.Lab):
    entries = lab.entries(since=lab.began)
    assert rights.used(entries)
    assert rights.forbidden(entries) == []


def test_every_right_of_the_operator_was_needed(lab: labs.Lab, request: pytest.FixtureRequest):
    given = granted(lab)
    assert given
    unused = rights.unused(given, rights.used(lab.entries(since=lab.began)))
    print("not used:", *unused, sep="\n  ")
    missing = left_out(request)
    if missing:
        pytest.skip(f"only a whole run can tell: {len(missing)} end-to-end tests or files were left out")
    assert unused == []
