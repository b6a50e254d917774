"""Recorded requests that a version answers before it is available."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver import management, servers


@pytest.fixture(scope="module")
def managed(loading_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[management.Managed]:
    folder = tmp_path_factory.mktemp("warmup")
    (folder / "monitoring").write_text("prometheus_config { enable: true }")
    flags = (
        servers.config_file(folder, servers.model("examples", loading_models / "examples")),
        f"--monitoring_config_file={folder / 'monitoring'}",
    )
    with management.managed(folder, *flags) as running:
        yield running


def records_of(path: Path) -> str:
    return f"{path}/1/assets.extra/tf_serving_warmup_requests"


def load(managed: management.Managed, models: Path, name: str) -> management.Failure | None:
    return managed.reload(servers.model("examples", models / "examples"), servers.model(name, models / name))


@pytest.mark.parametrize(("name", "count"), [("warm_every", 5), ("warm_none", 0), ("warm_thousand", 1000)])
def test_records_of_every_kind_are_replayed_before_a_version_is_available(
    managed: management.Managed, loading_models: Path, name: str, count: int
) -> None:
    assert load(managed, loading_models, name) is None
    file = records_of(loading_models / name)
    assert (
        f"Starting to read warmup data for model at {file} with model-warmup-options " in managed.server.log
    )
    want = (
        f"Finished reading warmup data for model at {file}. Number of warmup records read: {count}."
        " Elapsed time (microseconds): "
    )
    assert want in managed.server.log
    assert managed.server.states(name) == {1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("warm_failing", r"INVALID_ARGUMENT: .*\bx\b.*\bz\b.*"),
        ("warm_session_run", "UNIMPLEMENTED: Unsupported log_type for warmup: 5"),
        ("warm_too_many", "INVALID_ARGUMENT: Number of warmup records exceeds the maximum (1000) at {file}"),
        ("warm_unreadable", "INVALID_ARGUMENT: Failed to parse warmup record: .* from {file}"),
        ("warm_corrupt", "DATA_LOSS: corrupted record at 12{hint}"),
        (
            "warm_cut",
            "DATA_LOSS: truncated record at [0-9]+' failed with Read less bytes than requested{hint}",
        ),
        ("warm_no_records", "DATA_LOSS: corrupted record at 0 (Is this even a TFRecord file?){hint}"),
    ],
)
def test_a_record_that_cannot_be_replayed_fails_the_load(
    managed: management.Managed, loading_models: Path, name: str, words: str
) -> None:
    failure = load(managed, loading_models, name)
    assert failure is not None
    assert failure.code == "UNKNOWN"
    escaped = words.replace("(1000)", r"\(1000\)").replace(
        "(Is this even a TFRecord file?)", r"\(Is this even a TFRecord file\?\)"
    )
    pattern = escaped.format(
        file=re.escape(records_of(loading_models / name)),
        hint=r"\. Please verify your warmup data is in TFRecord format\.",
    )
    want = rf"1 model\(s\) did not become available: \{{\{{\{{name: {name} version: 1\}} due to error: {pattern}\}}, \}}"
    assert re.fullmatch(want, failure.message, re.DOTALL), failure.message
    assert managed.server.states(name) == {1: "END"}
    assert managed.server.states("examples") == {1: "AVAILABLE"}


def test_the_time_of_a_warmup_is_counted_with_its_outcome(
    managed: management.Managed, loading_models: Path
) -> None:
    load(managed, loading_models, "warm_every")
    load(managed, loading_models, "warm_corrupt")
    page = managed.server.get("/monitoring/prometheus/metrics").body
    counted = ":tensorflow:serving:model_warmup_latency_count"
    assert f'{counted}{{model_path="{loading_models / "warm_every" / "1"}",status="OK"}} ' in page
    failed = (
        f'{counted}{{model_path="{loading_models / "warm_corrupt" / "1"}",status="DATA_LOSS: corrupted record'
    )
    assert failed in page


def test_a_version_without_records_is_available_without_warmup(managed: management.Managed) -> None:
    assert "No warmup data file found at " in managed.server.log
    answer = managed.server.predict("examples", {"instances": [[3.0]]})
    assert answer.json == {"predictions": [[7.0]]}


def test_records_are_left_alone_if_the_flag_says_so(loading_models: Path, tmp_path: Path) -> None:
    flags = (f"--model_base_path={loading_models / 'warm_failing'}", "--enable_model_warmup=false")
    with servers.running(tmp_path, *flags) as server:
        assert server.states("default") == {1: "AVAILABLE"}
        assert "warmup" not in server.log


def test_a_record_that_fails_ends_the_first_start(loading_models: Path, tmp_path: Path) -> None:
    flags = (f"--model_base_path={loading_models / 'warm_failing'}", *management.ONCE)
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert server.output.startswith(
            "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {{{name: default version: 1}"
        )


def test_records_are_replayed_as_often_as_the_flag_says(loading_models: Path, tmp_path: Path) -> None:
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    flags = (
        f"--model_base_path={loading_models / 'warm_every'}",
        "--num_request_iterations_for_warmup=3",
        "--enable_batching",
        f"--monitoring_config_file={tmp_path / 'monitoring'}",
    )
    with servers.running(tmp_path, *flags) as server:
        assert "with model-warmup-options num_request_iterations {" in server.log
        page = server.get("/monitoring/prometheus/metrics").body
        # Four of the five records ask the session, and batching counts each of its runs.
        assert ":tensorflow:serving:batching_session:wrapped_run_count{} 12\n" in page
