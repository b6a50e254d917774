"""The command line, the process and its memory."""

import os
import signal
from pathlib import Path

import pytest

from local.modelserver import flags
from tests.local.modelserver import servers

MIB = 2**20

TABLE = {
    "port": 8500,
    "grpc_socket_path": "",
    "rest_api_port": 0,
    "model_name": "default",
    "model_base_path": "",
    "model_config_file": "",
    "model_config_file_poll_wait_seconds": 0,
    "enable_batching": False,
    "batching_parameters_file": "",
    "enable_per_model_batching_parameters": False,
    "monitoring_config_file": "",
    "ssl_config_file": "",
    "num_load_threads": 0,
    "num_unload_threads": 0,
    "max_num_load_retries": 5,
    "load_retry_interval_micros": 60_000_000,
    "file_system_poll_wait_seconds": 1,
    "flush_filesystem_caches": True,
    "tensorflow_session_parallelism": 0,
    "tensorflow_intra_op_parallelism": 0,
    "tensorflow_inter_op_parallelism": 0,
    "rest_api_num_threads": 4 * len(os.sched_getaffinity(0)),
    "rest_api_timeout_in_ms": 30_000,
    "rest_api_enable_cors_support": False,
    "grpc_max_threads": 4 * len(os.sched_getaffinity(0)),
    "grpc_channel_arguments": "",
    "enable_model_warmup": True,
    "num_request_iterations_for_warmup": 0,
    "allow_version_labels_for_unavailable_models": False,
    "saved_model_tags": "serve",
    "per_process_gpu_memory_fraction": 0.0,
    "enable_signature_method_name_check": False,
    "enable_grpc_healthcheck_service": False,
    "prefer_tflite_model": False,
    "xla_cpu_compilation_enabled": False,
    "mixed_precision": "",
    "enable_profiler": True,
    "tensorflow_session_config_file": "",
    "platform_config_file": "",
    "use_alts_credentials": False,
    "version": False,
    "remove_unused_fields_from_bundle_metagraph": True,
    "num_tflite_pools": len(os.sched_getaffinity(0)),
    "num_tflite_interpreters_per_pool": 1,
    "xla_gpu_compilation_enabled": False,
    "skip_initialize_tpu": False,
    "thread_pool_factory_config_file": "",
    "enable_serialization_as_tensor_content": False,
}


def test_there_are_no_flags_but_the_originals() -> None:
    assert set(flags.kinds()) == set(TABLE)


@pytest.mark.parametrize(("name", "want"), TABLE.items())
def test_a_flag_that_is_not_given_has_the_originals_default(name: str, want: object) -> None:
    assert getattr(flags.parse([]).flags, name) == want


@pytest.mark.parametrize(
    ("argument", "name", "want"),
    [
        ("--port=9", "port", 9),
        ("--port=-1", "port", -1),
        ("--load_retry_interval_micros=9223372036854775807", "load_retry_interval_micros", 2**63 - 1),
        ("--model_name=", "model_name", ""),
        ("--model_name=a=b", "model_name", "a=b"),
        ("--per_process_gpu_memory_fraction=.5", "per_process_gpu_memory_fraction", 0.5),
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=TRUE", "enable_batching", True),
        ("--enable_profiler=false", "enable_profiler", False),
    ],
)
def test_a_flag_is_read_by_its_type(argument: str, name: str, want: object) -> None:
    parsed = flags.parse([argument])
    assert (parsed.is_valid, parsed.unknown, getattr(parsed.flags, name)) == (True, (), want)


@pytest.mark.parametrize(
    "argument",
    [
        "--port=x",
        "--port=",
        "--port=1.0",
        "--port=2147483648",
        "--enable_batching=1",
        "--enable_batching=",
        "--per_process_gpu_memory_fraction=half",
        "--load_retry_interval_micros=1s",
    ],
)
def test_a_value_of_the_wrong_type_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not flags.parse([argument]).is_valid
    name, _, value = argument.removeprefix("--").partition("=")
    assert f"Couldn't interpret value {value} for flag {name}." in capsys.readouterr().err


@pytest.mark.parametrize(
    "argument", ["--prot=1", "--port", "-port=1", "port=1", "x", "--enable_batchings", "--"]
)
def test_what_is_no_flag_is_left_over(argument: str) -> None:
    parsed = flags.parse([argument])
    assert (parsed.is_valid, parsed.unknown) == (True, (argument,))


def test_the_last_of_equal_flags_wins() -> None:
    assert flags.parse(["--port=1", "--port=2"]).flags.port == 2


def test_a_bad_value_prints_the_usage_and_ends_the_process(tmp_path: Path) -> None:
    with servers.launched(tmp_path, "--num_load_threads=many") as server:
        assert server.wait_for_exit() == 255
        assert server.output.startswith("usage: ")
        assert "--max_num_load_retries=5" in server.output
        assert "Couldn't interpret value many for flag num_load_threads." in server.log


def test_an_unknown_flag_is_named_and_the_server_starts(models: Path, tmp_path: Path) -> None:
    flag = f"--model_base_path={models / 'line'}"
    with servers.running(tmp_path, flag, "--file_system_pol_wait_seconds=0") as server:
        assert server.output.startswith("unknown argument: --file_system_pol_wait_seconds=0\nusage: ")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ([], "Both server_options.model_base_path and server_options.model_config_file are empty!"),
        (["--model_base_path=rel/ative"], "to have an absolute path or URI; got base_path()=rel/ative"),
        (["--model_config_file=/none"], "NOT_FOUND: /none; No such file or directory"),
        (["--model_base_path=/m", "--port=0"], "server_options.grpc_port is not set."),
        (
            ["--model_base_path=/m", "--batching_parameters_file=/none"],
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
        ),
        (
            [
                "--model_base_path=/m",
                *(f"--tensorflow_{n}_parallelism=1" for n in ("session", "intra_op", "inter_op")),
            ],
            "You cannot configure all.",
        ),
    ],
)
def test_flags_that_do_not_go_together_end_the_process(tmp_path: Path, given: list[str], want: str) -> None:
    with servers.launched(tmp_path, *given) as server:
        assert server.wait_for_exit() == 255
        assert server.output.startswith("Failed to start server. Error: ")
        assert want in server.output


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("model_config_list { config { nam: 'm' } }", "Invalid protobuf file: "),
        ("model_config_list {", "Invalid protobuf file: "),
        ("model_config_list { config { name: 'm' base_path: '/m' } }", "Illegal setting neither"),
        (
            "model_config_list { config { name: 'm' base_path: 'm' model_platform: 'tensorflow' } }",
            "absolute path",
        ),
        (
            "model_config_list {"
            + 2 * "config { name: 'm' base_path: '/m' model_platform: 'tensorflow' }"
            + "}",
            "Illegal to list model m multiple times in config list",
        ),
    ],
)
def test_a_bad_model_config_file_ends_the_process(tmp_path: Path, text: str, want: str) -> None:
    (tmp_path / "file").write_text(text)
    with servers.launched(tmp_path, f"--model_config_file={tmp_path / 'file'}") as server:
        assert server.wait_for_exit() == 255
        assert want in server.output


def test_the_version_of_the_runtime_is_shown(tmp_path: Path) -> None:
    with servers.launched(tmp_path, "--version") as server:
        assert server.wait_for_exit() == 0
        assert "TensorFlow Library: 2.21" in server.output


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_process_at_once(models: Path, tmp_path: Path, ending: signal.Signals) -> None:
    with servers.running(tmp_path, f"--model_base_path={models / 'line'}") as server:
        server.process.send_signal(ending)
        assert server.wait_for_exit() == -ending


def test_a_rest_port_that_is_taken_leaves_the_process_running_without_it(
    server: servers.Server, models: Path, tmp_path: Path
) -> None:
    flags_given = (f"--model_base_path={models / 'line'}", f"--rest_api_port={server.port}")
    with servers.launched(tmp_path, *flags_given) as second:
        servers.wait_for(
            lambda: "Failed to start HTTP Server at localhost:" in second.log, "the port is refused"
        )
        assert second.process.poll() is None


def test_a_rest_port_equal_to_the_grpc_port_is_skipped(models: Path, tmp_path: Path) -> None:
    port = servers.free_port()
    flags_given = (f"--model_base_path={models / 'line'}", f"--rest_api_port={port}", f"--port={port}")
    with servers.launched(tmp_path, *flags_given, has_rest=False) as server:
        servers.wait_for(lambda: "Skipped exporting HTTP/REST API." in server.log, "the port is refused")
        assert server.process.poll() is None


def test_one_rest_thread_freezes_the_rest_api(models: Path, tmp_path: Path) -> None:
    flag = f"--model_base_path={models / 'line'}"
    with servers.running(tmp_path, flag, "--rest_api_num_threads=1") as server:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1)
        connection.request("GET", "/v1/models/default")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()


def test_a_prediction_that_takes_too_long_is_given_up(models: Path, tmp_path: Path) -> None:
    flags_given = (
        "--model_name=slow",
        f"--model_base_path={models / 'slow'}",
        "--rest_api_timeout_in_ms=300",
    )
    with servers.running(tmp_path, *flags_given) as server:
        answer = server.predict("slow", {"instances": [20000]})
        assert (answer.status, answer.error) == (504, "Timed out waiting for notification")


def test_the_server_is_small_and_a_models_variables_count_once(models: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("small", "large")]
    for folder in folders:
        folder.mkdir()
    with (
        servers.running(folders[0], f"--model_base_path={models / 'line'}") as small,
        servers.running(folders[1], f"--model_base_path={models / 'ballast'}") as large,
    ):
        for each in (small, large):
            assert each.predict("default", {"instances": [1]}).status == 200
        without, with_ballast = small.anonymous_bytes(), large.anonymous_bytes()
    assert without < 120 * MIB
    assert 60 * MIB < with_ballast - without < 1.25 * 64 * MIB
