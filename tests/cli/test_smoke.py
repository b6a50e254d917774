"""`smoke` on a real model server: verdicts as exit codes, text for people, JSON for machines."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local.modelserver import servers
from tests.support import exports

FOLDER = Path(__file__).parents[1] / "adapters" / "serving"
ROWS = [{"name": f"row-{i}", "instances": [[float(i), 1.0, 8.0 - i, 3.0]]} for i in range(4)]


@pytest.fixture(scope="module")
def exported() -> Path:
    return exports.cached("serving", FOLDER / "export.py")


@pytest.fixture(scope="module")
def served(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("smoke")
    names = ("good", "constant", "text")
    flag = servers.config_file(folder, *(servers.model(name, exported / name) for name in names))
    with servers.running(folder, flag) as server:
        yield server


def _run(served: servers.Server, *arguments: str, version: str = "1") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tfserving_operator",
        "smoke",
        "--url",
        f"http://127.0.0.1:{served.port}",
    ]
    full = [*command, "--version", version, "--load-requests", "8", *arguments]
    return subprocess.run(full, capture_output=True, text=True, check=False, timeout=120)


def _judged(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_healthy_model_passes_without_cases_and_ends_with_0(served: servers.Server) -> None:
    done = _run(served, "--model", "good", "-o", "json")
    assert done.returncode == 0, done.stderr
    judged = _judged(done)
    assert (judged["verdict"], judged["reason"], judged["cause"]) == ("Pass", "Passed", "")
    assert {check["name"] for check in judged["checks"]} >= {
        "rightVersion",
        "finite",
        "distinctOutputs",
        "goldens",
    }


def test_a_constant_model_fails_with_its_cause_and_ends_with_1(
    served: servers.Server, exported: Path
) -> None:
    version = next((exported / "constant").iterdir())
    done = _run(served, "--model", "constant", "--saved-model", str(version))
    assert done.returncode == 1, done.stderr
    head, message, *_ = done.stdout.splitlines()
    assert head.startswith("constant version 1: Fail (IdenticalOutputs / ")
    assert "different inputs get the same answer" in message


def test_what_cannot_be_decided_ends_with_2_and_says_which_case_to_add(served: servers.Server) -> None:
    done = _run(served, "--model", "text", "-o", "json")
    assert done.returncode == 2, done.stdout
    judged = _judged(done)
    assert judged["verdict"] == "Inconclusive"
    assert "add smoke.cases" in judged["message"]


def test_a_server_that_is_not_there_ends_with_2(served: servers.Server) -> None:
    done = _run(served, "--model", "good", "--url", "http://127.0.0.1:9", "-o", "json")
    assert done.returncode == 2
    judged = _judged(done)
    assert (judged["verdict"], judged["reason"]) == ("Inconclusive", "PodUnreachable")


def test_a_version_that_is_not_served_fails(served: servers.Server) -> None:
    done = _run(served, "--model", "good", "-o", "json", version="9")
    assert done.returncode == 1
    assert _judged(done)["reason"] == "WrongVersion"


def test_cases_with_goldens_are_judged_and_a_check_can_be_set_to_warn(
    served: servers.Server, tmp_path: Path
) -> None:
    wrong = [row | {"expect": {"outputs": {"probabilities": [[7.0, 7.0, 7.0]]}}} for row in ROWS]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(wrong))
    done = _run(served, "--model", "good", "--cases", str(file), "-o", "json")
    assert done.returncode == 1, done.stdout
    assert _judged(done)["reason"] == "GoldenMismatch"
    warned = _run(served, "--model", "good", "--cases", str(file), "--checks", "{goldens: Warn}")
    assert warned.returncode == 64
    warned = _run(served, "--model", "good", "--cases", str(file), "--checks", "{goldens: {mode: Warn}}")
    assert warned.returncode == 0, warned.stdout
    assert "Fail (Warn)" in warned.stdout


def test_the_version_that_serves_now_is_the_control(served: servers.Server) -> None:
    """An answer that is as constant as the control's is not blamed on the new version."""
    url = f"http://127.0.0.1:{served.port}"
    control = ("--control-url", url, "--control-version", "1", "--control-model", "constant")
    done = _run(served, "--model", "constant", *control, "-o", "json")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--model'"),
        (["--model", "good", "--control-url", "http://x"], "belong together"),
        (
            ["--model", "good", "--checks", "{goldn: {}}"],
            "checks.goldn is not a field: did you mean goldens?",
        ),
        (["--model", "good", "--checks", "{a"], "--checks is no YAML"),
        (["--model", "good", "--cases", __file__], "test_smoke.py"),
        (["--model", "good", "--saved-model", "/tmp"], "is no version folder"),
    ],
)
def test_a_wrong_call_ends_with_64_and_says_why(
    served: servers.Server, arguments: list[str], said: str
) -> None:
    done = _run(served, *arguments)
    assert (done.returncode, done.stdout) == (64, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
