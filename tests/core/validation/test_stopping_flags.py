"""What stops a model server, seen on the development one, is refused before a pod starts."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.local.modelserver import servers
from tests.support import exports, specs
from tfserving_operator.core import validation, workloads

EXPORT = Path(__file__).parents[2] / "local" / "modelserver" / "export.py"

STOPPED = {
    "a word for a number": ({"grpc_max_threads": "many"}, "usage: "),
    "a word for a boolean": ({"enable_model_warmup": "yes"}, "usage: "),
    "more than 32 bits": ({"rest_api_timeout_in_ms": "3000000000"}, "usage: "),
    "half for a fraction": ({"per_process_gpu_memory_fraction": "half"}, "usage: "),
    "a fraction for a number": ({"tensorflow_intra_op_parallelism": "1.5"}, "usage: "),
    "batching parameters alone": (
        {"batching_parameters_file": "/models/b"},
        "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
    ),
    "all kinds of parallelism": ({"tensorflow_session_parallelism": "2"}, "You cannot configure all."),
    "more threads than an int32 holds": ({"tensorflow_inter_op_parallelism": "5000000000"}, ""),
    "no threads for gRPC": ({"grpc_max_threads": "0"}, ""),
    "a socket where nothing can be written": (
        {"grpc_socket_path": "/proc/none/socket"},
        "Failed to BuildAndStart gRPC server",
    ),
    "a socket with too long a path": (
        {"grpc_socket_path": "/tmp/" + "s" * 120},
        "Failed to BuildAndStart gRPC server",
    ),
    "a platform file that is not there": ({"platform_config_file": "/none"}, "NOT_FOUND: /none"),
    "a model file that is not there": ({"model_config_file": "/none"}, "NOT_FOUND: /none"),
    "the version": ({"version": "true"}, "TensorFlow ModelServer: "),
}
"""Flags of users, and what the server says as it ends."""


@pytest.fixture(scope="module")
def line() -> Path:
    """A model that loads at once."""
    return exports.cached("modelserver", EXPORT) / "line"


def _arguments(flags: dict[str, str], model: Path) -> list[str]:
    """The operator's own arguments and the flags behind them, but for what is in the pod alone."""
    built = workloads.build_deployment(
        owner=specs.OWNER,
        spec=specs.make_spec(resources={"limits": {"cpu": "2"}}),
        policy=specs.POLICY,
        revision="r",
        replicas=1,
        colocate=False,
    )
    (container,) = built["spec"]["template"]["spec"]["containers"]
    pods = ("--port=", "--rest_api_port=", "--monitoring_config_file=", "--model_config_file=")
    ours = [each for each in container["args"] if not each.startswith(pods)]
    return [*ours, f"--model_base_path={model}", *(f"--{name}={value}" for name, value in flags.items())]


def _refusals(flags: dict[str, str], **changes: Any) -> list[str]:
    spec = specs.make_spec(server={"flags": flags, **changes}, resources={"limits": {"cpu": "2"}})
    found = validation.validate(spec, owner_name="resnet", policy=specs.POLICY)
    return sorted({v.field for v in found if v.severity is validation.Severity.Error})


REFUSED = 7
"""curl's exit code where nobody listens yet."""
TIMED_OUT = 28


@pytest.mark.parametrize("title", STOPPED)
def test_flags_with_which_the_server_ends_are_refused(title: str, line: Path, tmp_path: Path) -> None:
    flags, said = STOPPED[title]
    with servers.launched(tmp_path, *_arguments(flags, line)) as server:
        assert server.wait_for_exit() != 0 or "version" in flags
        assert said in server.output
    assert _refusals(flags) == [f"spec.server.flags.{next(iter(flags))}"]


def test_one_rest_thread_freezes_the_server_and_is_refused(line: Path, tmp_path: Path) -> None:
    flags = {"rest_api_num_threads": "1"}
    with servers.launched(tmp_path, *_arguments(flags, line)) as server:
        address = f"http://127.0.0.1:{server.port}/v1/models/default"

        def asked() -> int:
            return subprocess.run(["curl", "-s", "-m", "1", address], check=False).returncode

        servers.wait_for(lambda: asked() != REFUSED, "REST is served")
        assert asked() == TIMED_OUT, "it answers"
        assert server.process.poll() is None
    assert _refusals(flags) == ["spec.server.flags.rest_api_num_threads"]


def test_sizes_of_batches_that_the_server_does_not_take_are_refused(line: Path, tmp_path: Path) -> None:
    batching = {"maxBatchSize": 8, "allowedBatchSizes": [2, 4]}
    spec = specs.make_spec(server={"batching": batching})
    built = workloads.build_config_map(owner=specs.OWNER, spec=spec, revision="r")
    path = tmp_path / "batching.config"
    path.write_text(built["data"]["batching.config"])
    flags = {"enable_batching": "true", "batching_parameters_file": str(path)}
    with servers.launched(tmp_path, *_arguments(flags, line)) as server:
        assert server.wait_for_exit() == 255
        assert "Last entry in allowed_batch_sizes must match max_batch_size" in server.output
    assert _refusals({}, batching=batching) == ["spec.server.batching.allowedBatchSizes"]


def test_a_flag_that_the_server_does_not_know_does_not_stop_it_and_is_refused(
    line: Path, tmp_path: Path
) -> None:
    flags = {"enable_bathing": "true"}
    with servers.running(tmp_path, *_arguments(flags, line)) as server:
        assert "unknown argument: --enable_bathing=true" in server.output
        assert server.predict("default", {"instances": [1.0]}).status == 200
    assert _refusals(flags) == ["spec.server.flags.enable_bathing"]


@pytest.mark.parametrize(("flags", "threads"), [({"tensorflow_inter_op_parallelism": "1"}, 1), ({}, 2)])
def test_the_flag_from_the_cpu_limit_outranks_the_variable(
    flags: dict[str, str], threads: int, line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the warning about TF_NUM_INTEROP_THREADS says."""
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "7")
    with servers.running(tmp_path, *_arguments(flags, line)) as server:
        assert server.predict("default", {"instances": [1.0]}).status == 200
        tasks = Path(f"/proc/{server.process.pid}/task").glob("*/comm")
        assert [task.read_text().strip() for task in tasks].count("tf_Compute") == threads
