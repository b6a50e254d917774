"""The inspector compares the server's memory limit with the floor of the model."""

import json

import pytest
from click.testing import CliRunner

from tfserving_operator import cli, inspector
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import inspection, memory, quantities
from tfserving_operator.inspector import limits

MODEL = inspection.build(version=3, digest="sha256:1", variable_bytes=100 * quantities.MI, graph_bytes=2000)
FLOOR = memory.floor_bytes(memory.Size(variable_bytes=100 * quantities.MI, graph_bytes=2000))


def compared(limit: int, *, has_passed: bool = False, **more) -> inspection.Inspection:
    return limits.compared(MODEL, inspector.Limit(memory_bytes=limit, **more), has_passed=has_passed)


def test_a_limit_below_the_floor_is_refused_with_the_figures():
    found = compared(FLOOR - 1)
    assert found.reason == reasons.Reason.MemoryBelowFloor
    assert found.exit_code is inspection.ExitCode.MemoryBelowFloor
    assert (found.memory_floor, found.memory_limit) == (FLOOR, FLOOR - 1)
    assert "100Mi of variables" in found.message
    assert quantities.format_bytes(FLOOR) in found.message
    assert "graph" not in found.message


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(compared(FLOOR), id="at the floor"),
        pytest.param(compared(0), id="without a limit that is known"),
        pytest.param(compared(FLOOR - 1, enforced=False), id="only to be warned of"),
        pytest.param(compared(FLOOR - 1, has_passed=True), id="of a revision that has passed under it"),
        pytest.param(compared(FLOOR - 1, weights_elsewhere=True), id="with the weights on a GPU"),
    ],
)
def test_a_server_is_started_under_a_limit(found):
    assert found.reason == ""
    assert found.memory_floor > 0


def test_what_is_only_warned_of_is_told_by_floor_and_limit():
    assert compared(FLOOR - 1, enforced=False).is_below_floor
    assert not compared(FLOOR).is_below_floor
    assert not compared(0).is_below_floor


def test_another_refusal_stays_the_reason():
    broken = inspection.build(reasons.Reason.ModelInvalid, "no SavedModel", variable_bytes=10)
    found = limits.compared(broken, inspector.Limit(memory_bytes=1), has_passed=False)
    assert found.reason == reasons.Reason.ModelInvalid


def test_floor_and_limit_fit_into_the_termination_message():
    found = compared(FLOOR - 1)
    assert inspection.parse_termination_message(inspection.render(found).decode()) == found


@pytest.fixture
def run(graphs, tmp_path, monkeypatch):
    """The command as the pod runs it."""
    monkeypatch.setenv("TERMINATION_LOG_PATH", str(tmp_path / "log"))

    def run(*arguments: str, limit: str):
        where = ["inspect", "--model-dir", str(min(graphs.iterdir())), "--version", "1"]
        ended = CliRunner().invoke(
            cli.main, [*where, *arguments], env={constants.ENV_SERVER_MEMORY_LIMIT: limit}
        )
        return ended.exit_code, json.loads((tmp_path / "log").read_text())

    return run


def test_the_container_is_told_the_limit_by_its_environment(run):
    code, said = run(limit=str(32 * quantities.MI))
    assert code == inspection.ExitCode.MemoryBelowFloor
    assert said["reason"] == "MemoryBelowFloor"
    assert said["memoryLimit"] == 32 * quantities.MI
    assert said["graphBytes"] > 0
    assert run(limit=str(quantities.GI))[0] == 0
    assert run("--resource-policy", "Warn", limit="1")[0] == 0


def test_pods_of_a_revision_that_passed_are_never_refused_by_a_floor(run, tmp_path):
    pinned = tmp_path / "digest"
    pinned.write_text(run(limit="0")[1]["digest"])
    assert run("--expect-digest-file", str(pinned), limit="1")[0] == 0
    pinned.write_text("")
    assert run("--expect-digest-file", str(pinned), limit="1")[0] == inspection.ExitCode.MemoryBelowFloor
