"""`tfserving-operator wait` against an API server on loopback: exit codes, words, and faults."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from aiohttp import web
from click.testing import CliRunner

from tests.support import apiservers, phases
from tfserving_operator import cli
from tfserving_operator.cli import wait as waiting

PATH = "/apis/tfserving.dev/v1alpha1/namespaces/vision/modeldeployments"


class Server:
    """Gives one object out, and its later states on a watch."""

    def __init__(self, *states: dict[str, Any] | None) -> None:
        self.states = states
        self.faults: list[Callable[[], web.StreamResponse]] = []
        self.watches: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.faults:
            return self.faults.pop(0)()
        first, *later = self.states
        if request.path == f"{PATH}/digits":
            return web.json_response(first) if first else _status(404, "NotFound")
        assert request.path == PATH
        self.watches.append(dict(request.query))
        response = web.StreamResponse()
        await response.prepare(request)
        for state in later:
            event = {"type": "MODIFIED", "object": state} if state else {"type": "DELETED", "object": first}
            await response.write(json.dumps(event).encode() + b"\n")
        await asyncio.sleep(0.2 if later else 30)
        return response


def _status(code: int, reason: str) -> web.Response:
    said = {"kind": "Status", "code": code, "reason": reason, "message": f"says {reason}"}
    return web.json_response(said, status=code)


@pytest.fixture(scope="module")
def known() -> dict[str, dict[str, Any]]:
    found = {phase.name: phase.made for phase in phases.build()}
    for made in found.values():
        made["metadata"]["resourceVersion"] = "1"
    return found


async def run(server: Server, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    async with apiservers.faulty(server.answer) as account:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": account.server}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "vision"}}],
            "current-context": "x",
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        command = ["wait", "digits", "--kubeconfig", str(path), *arguments]
        done = await asyncio.to_thread(CliRunner().invoke, cli.main, command)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The command sends its logs elsewhere, for a whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


async def test_a_rollout_that_goes_well_ends_with_0(known, tmp_path):
    server = Server(known["starting_first"], known["testing_first"], known["baking_first"], known["ready"])
    code, out, err = await run(server, tmp_path)
    assert code == 0
    assert out == "vision/digits: Ready: version 1 serves, proven\n"
    assert [line.split(" ")[0].rstrip(":") for line in err.splitlines()] == [
        "Starting",
        "Testing",
        "Baking",
        "Ready",
    ]
    assert server.watches[0]["fieldSelector"] == "metadata.name=digits"


async def test_a_rollback_ends_with_1_and_its_cause(known, tmp_path):
    server = Server(known["testing_beside_active"], known["rolledback_by_smoke_test"])
    code, out, err = await run(server, tmp_path, "-o", "json")
    said = json.loads(out)
    assert code == 1
    assert "RolledBack (UnscaledInput): version 2 was rejected: GoldenMismatch (UnscaledInput): " in err
    assert (said["result"], said["phase"], said["reason"]) == ("Failed", "RolledBack", "RolledBack")
    assert (said["cause"], said["version"], said["activeVersion"]) == ("UnscaledInput", 2, 1)
    assert "6 of 6 answers differ" in said["message"]


async def test_the_verdict_of_an_earlier_generation_is_not_taken_for_this_ones(known, tmp_path):
    server = Server(known["generation_not_observed"])
    code, out, _ = await run(server, tmp_path, "--timeout", "1s")
    assert code == 2
    assert "GenerationNotObserved" in out


async def test_what_does_not_move_ends_with_2_at_the_timeout(known, tmp_path):
    code, out, _ = await run(Server(known["paused"]), tmp_path, "--timeout", "1")
    assert code == 2
    assert out == "vision/digits: Paused: spec.rollout.paused holds the start\n"


async def test_a_timeout_of_0_looks_once(known, tmp_path):
    server = Server(known["testing_first"])
    code, out, _ = await run(server, tmp_path, "--timeout", "0")
    assert (code, server.watches) == (2, [])
    assert out.startswith("vision/digits: Testing (RevisionTesting)")


@pytest.mark.parametrize("states", [(None,), ("ready_later", None)])
async def test_what_is_not_there_or_goes_away_ends_with_1(known, tmp_path, states):
    first = known["starting_first"] if states[0] else None
    code, out, _ = await run(Server(first, *states[1:]), tmp_path)
    assert code == 1
    assert "there is no such ModelDeployment" in out


async def test_faults_of_the_api_server_are_survived_and_kept_off_standard_output(known, tmp_path):
    server = Server(known["starting_first"], known["ready"])
    server.faults = [lambda: _status(503, "ServiceUnavailable")] * 4
    code, out, _ = await run(server, tmp_path, "-o", "json")
    assert code == 0
    assert json.loads(out)["result"] == "Ready"


async def test_a_right_that_is_missing_is_named_at_the_timeout(known, tmp_path):
    server = Server(known["ready"])
    server.faults = [lambda: _status(403, "Forbidden")] * 10
    code, out, _ = await run(server, tmp_path, "--timeout", "2")
    assert code == 2
    assert "Forbidden" in out


async def test_a_duration_that_is_none_ends_with_64(known, tmp_path):
    code, _, err = await run(Server(known["ready"]), tmp_path, "--timeout", "soon")
    assert code == 64
    assert "no duration such as 600, 90s or 10m" in err


def test_kstatus_and_the_command_judge_alike():
    results = {"Current": waiting.Result.Ready, "Failed": waiting.Result.Failed}
    for phase in phases.build():
        if phase.kstatus != "Terminating":
            want = results.get(phase.kstatus, waiting.Result.Timeout)
            assert waiting.judge(phase.made).result is want, phase.name
