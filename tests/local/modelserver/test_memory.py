"""Memory: what a model takes and gives back, and what happens when there is none."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.modelserver import slim
from tests.local.modelserver import management, servers

MIB = 2**20
BIG = 256 * MIB


@pytest.fixture
def base(loading_models: Path, tmp_path: Path) -> Path:
    """A base path with one small version."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "1").symlink_to(loading_models / "examples" / "1")
    return base


@pytest.fixture
def server(base: Path, tmp_path: Path) -> Iterator[servers.Server]:
    flags = ("--model_name=m", f"--model_base_path={base}", *management.ONCE)
    with servers.running(tmp_path, *flags) as running:
        yield running


def publish(models: Path, base: Path, model: str, version: int) -> None:
    (base / str(version)).symlink_to(models / model / "1")


def wait_for_state(server: servers.Server, version: int, state: str) -> None:
    servers.wait_for(lambda: server.states("m").get(version) == state, f"{version} is {state}")


def allow_only(server: servers.Server, more: int) -> None:
    """Limit the address space to what is in use and some more."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (limit, limit))


def test_a_variable_of_256_mib_takes_as_much_and_gives_it_back(
    base: Path, loading_models: Path, tmp_path: Path
) -> None:
    flag = servers.config_file(tmp_path, servers.model("m", base, "model_version_policy { all {} }"))
    with servers.running(tmp_path, flag) as server:
        small = server.anonymous_bytes()
        publish(loading_models, base, "big", 2)
        wait_for_state(server, 2, "AVAILABLE")
        assert server.predict("m", {"instances": [1.0]}).json == {"predictions": [1.0]}
        with_big = server.anonymous_bytes()
        assert BIG <= with_big - small < 300 * MIB
        (base / "2").unlink()
        wait_for_state(server, 2, "END")
        servers.wait_for(lambda: with_big - server.anonymous_bytes() > 0.95 * BIG, "the memory is given back")


def test_a_swap_holds_both_versions_in_memory(
    server: servers.Server, base: Path, loading_models: Path
) -> None:
    publish(loading_models, base, "big", 2)
    wait_for_state(server, 1, "END")
    with_one = server.anonymous_bytes()
    assert with_one > BIG
    publish(loading_models, base, "big", 3)
    peak = 0
    while server.states("m").get(2) != "END":
        peak = max(peak, server.anonymous_bytes())
    assert BIG <= peak - with_one < 300 * MIB
    servers.wait_for(lambda: server.anonymous_bytes() - with_one < 44 * MIB, "one of them is gone")


def test_an_allocation_that_fails_in_a_run_is_an_error_with_the_runtimes_words(
    server: servers.Server, base: Path, loading_models: Path
) -> None:
    publish(loading_models, base, "greedy", 2)
    wait_for_state(server, 2, "AVAILABLE")
    assert server.predict("m", {"instances": [10]}).status == 200
    allow_only(server, 512 * MIB)
    answer = server.predict("m", {"instances": [80000]})
    assert answer.status == 429
    assert answer.error.startswith(
        "OOM when allocating tensor with shape[80000,80000] and type float on"
        " /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu\n\t [["
    )
    assert server.predict("m", {"instances": [10]}).status == 200


def test_a_load_that_gets_no_memory_fails_and_the_old_version_goes_on(
    server: servers.Server, base: Path, loading_models: Path
) -> None:
    allow_only(server, 200 * MIB)
    publish(loading_models, base, "big", 2)
    wait_for_state(server, 2, "END")
    status = server.get("/v1/models/m/versions/2").json["model_version_status"][0]["status"]
    assert status["error_code"] == "RESOURCE_EXHAUSTED"
    assert status["error_message"].startswith(
        "OOM when allocating tensor with shape[67108864] and type float on"
    )
    assert server.predict("m", {"instances": [[3.0]]}).json == {"predictions": [[7.0]]}


def test_an_allocation_that_the_runtime_cannot_refuse_aborts_the_process(
    server: servers.Server, base: Path, loading_models: Path
) -> None:
    publish(loading_models, base, "greedy", 2)
    wait_for_state(server, 2, "AVAILABLE")
    allow_only(server, 256 * MIB)
    with pytest.raises(ConnectionError):
        server.predict("m", {"signature_name": "text", "instances": [1.0]})
    assert server.wait_for_exit() == -signal.SIGABRT
    assert "std::bad_alloc" in server.log


def test_a_kill_by_the_kernel_leaves_the_container_with_137(tmp_path: Path) -> None:
    stand_in = tmp_path / "tensorflow_model_server"
    stand_in.write_text("#!/bin/sh\nkill -KILL $$\n")
    stand_in.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "MODEL_NAME": "m",
        "MODEL_BASE_PATH": "/models",
    }
    entrypoint = Path(slim.__file__).with_name("tf_serving_entrypoint.sh")
    done = subprocess.run([entrypoint], env=environment, capture_output=True, check=False)
    assert done.returncode == 128 + signal.SIGKILL
