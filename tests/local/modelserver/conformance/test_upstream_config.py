"""What the original's own tests say about its flags and files (``tensorflow_model_server_test.py``)."""

import time
from pathlib import Path

import grpc
import pytest

from tests.local.modelserver import servers
from tests.local.modelserver.conformance import harness


def test_good_model_config_serves_every_model(testdata: Path, tmp_path: Path) -> None:
    names = ("half_plus_two", "half_plus_three")
    config = tmp_path / "models.config"
    config.write_text(harness.config_text(**{name: testdata / name for name in names}))
    with harness.running(tmp_path, f"--model_config_file={config}") as server:
        for name, want in zip(names, (3.0, 4.0), strict=True):
            harness.assert_predicts(server, want, model=name, only=("y",))
            harness.assert_predicts(server, want, model=name)


def test_bad_model_config_ends_the_process_with_words_on_stderr(tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text("improperly formatted file")
    with harness.launched(tmp_path, f"--model_config_file={config}") as server:
        assert server.process.wait(harness.READY_SECONDS) == 255
        assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in server.log


def replace_models(config: Path, **paths: Path) -> None:
    """Write the whole file anew, so that no half of it is ever read."""
    new = config.with_suffix(".new")
    new.write_text(harness.config_text(**paths))
    new.replace(config)


def is_available(server: harness.Server, model: str) -> bool:
    (status,) = server.rest(f"/v1/models/{model}")[1]["model_version_status"]
    return status["state"] == "AVAILABLE"


def test_model_config_reload_serves_what_the_file_says_now(testdata: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    replace_models(config, half_plus_two=testdata / "half_plus_two")
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1")
    with harness.running(tmp_path, *flags) as server:
        harness.assert_predicts(server, 3.0, model="half_plus_two")
        replace_models(config, half_plus_three=testdata / "half_plus_three")
        servers.wait_for(lambda: server.rest("/v1/models/half_plus_three")[0] == 200, "the model is known")
        servers.wait_for(lambda: is_available(server, "half_plus_three"), "the model is available")
        harness.assert_predicts(server, 4.0, model="half_plus_three")


def test_model_config_reload_with_zero_poll_period_keeps_what_the_file_said(
    testdata: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    replace_models(config, half_plus_two=testdata / "half_plus_two")
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=0")
    with harness.running(tmp_path, *flags) as server:
        replace_models(config, half_plus_three=testdata / "half_plus_three")
        time.sleep(1.5)
        harness.assert_predicts(server, 3.0, model="half_plus_two")
        with pytest.raises(grpc.RpcError) as raised:
            harness.assert_predicts(server, 4.0, model="half_plus_three")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_good_grpc_channel_args_are_taken(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two")
    arguments = "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb"
    with harness.running(tmp_path, *flags, arguments) as server:
        harness.assert_predicts(server, 3.0)


def test_prometheus_endpoint_names_the_types_of_metrics(testdata: Path, tmp_path: Path) -> None:
    path = "/monitoring/prometheus/metrics"
    config = tmp_path / "monitoring.config"
    config.write_text(f'prometheus_config {{ enable: true path: "{path}" }}')
    flags = (*harness.base_path(testdata / "half_plus_two"), f"--monitoring_config_file={config}")
    with harness.running(tmp_path, *flags) as server:
        status, body = server.rest_text(path)
        assert status == 200
        assert "# TYPE" in body


def test_predict_batching_answers_with_a_parameters_file(testdata: Path, tmp_path: Path) -> None:
    parameters = tmp_path / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 1000 } batch_timeout_micros { value: 1000 }"
        " max_enqueued_batches { value: 100 } num_batch_threads { value: 4 }"
    )
    flags = (
        *harness.base_path(testdata / "half_plus_two"),
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
    )
    with harness.running(tmp_path, *flags) as server:
        harness.assert_predicts(server, 3.0, only=("y",))
        harness.assert_predicts(server, 3.0)
