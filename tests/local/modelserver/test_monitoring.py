"""The metrics: what is counted, under which names, and the page that Prometheus reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.modelserver import errors, metrics
from tests.local.modelserver import grpcclients, servers

PATH = "/monitoring/prometheus/metrics"
ENABLED = "prometheus_config { enable: true }"


def monitoring(folder: Path, text: str) -> str:
    """Write a monitoring config file and return the flag that names it."""
    (folder / "monitoring.config").write_text(text)
    return f"--monitoring_config_file={folder / 'monitoring.config'}"


@pytest.fixture(scope="module")
def counting(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("monitoring")
    flags = ("--model_name=m", f"--model_base_path={models / 'line'}", "--rest_api_num_threads=4")
    with servers.running(folder, *flags, monitoring(folder, ENABLED)) as process:
        yield process


def read(server: servers.Server, path: str = PATH) -> dict[str, str]:
    """The values by their names and labels."""
    lines = server.get(path).body.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_requests_are_counted_by_model_and_status(counting: servers.Server) -> None:
    def count(model: str, status: str) -> int:
        name = f':tensorflow:serving:request_count{{model_name="{model}",status="{status}"}}'
        return int(read(counting).get(name, 0))

    wants = {
        ("m", "OK"): lambda: counting.predict("m", {"instances": [1]}),
        ("m", "INVALID_ARGUMENT"): lambda: counting.predict("m", {"instances": ["a"]}),
        ("none", "NOT_FOUND"): lambda: counting.predict("none", {"instances": [1]}),
        ("", "INVALID_ARGUMENT"): lambda: counting.get("/v1/nothing"),
    }
    for (model, status), ask in wants.items():
        before = count(model, status)
        ask()
        assert count(model, status) == before + 1, (model, status)


def test_latencies_of_successes_are_counted_in_microseconds(counting: servers.Server) -> None:
    def values() -> dict[str, float]:
        labels = {
            "request_latency": 'model_name="m",API="predict",entrypoint="REST"',
            "runtime_latency": 'model_name="m",API="Predict",runtime="TF1"',
        }
        found = read(counting)
        return {
            f"{name}_{kind}": float(found.get(f":tensorflow:serving:{name}_{kind}{{{label}}}", 0))
            for name, label in labels.items()
            for kind in ("count", "sum")
        }

    before = values()
    counting.predict("m", {"instances": [1]})
    counting.predict("m", {"instances": ["a"]})
    after = values()
    grown = {name: after[name] - before[name] for name in after}
    assert (grown["request_latency_count"], grown["runtime_latency_count"]) == (1, 1)
    assert 0 < grown["runtime_latency_sum"] <= grown["request_latency_sum"] < 5e6


def test_status_and_metadata_count_as_requests_without_an_api(counting: servers.Server) -> None:
    name = ':tensorflow:serving:request_latency_count{model_name="m",API="",entrypoint="REST"}'
    before = int(read(counting).get(name, 0))
    for path in ("/v1/models/m", "/v1/models/m/metadata"):
        assert counting.get(path).status == 200
    assert int(read(counting)[name]) == before + 2


def test_loads_are_counted_by_their_folder(models: Path, counting: servers.Server) -> None:
    path = models / "line" / "10"
    found = read(counting)
    name = f':tensorflow:cc:saved_model:load_attempt_count{{model_path="{path}",status="success"}}'
    assert found[name] == "1"
    assert int(found[f':tensorflow:cc:saved_model:load_latency{{model_path="{path}"}}']) > 0


def test_the_page_is_plain_text_and_nothing_may_follow_its_path(counting: servers.Server) -> None:
    answer = counting.get(PATH)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
    refused = counting.get(f"{PATH}?name=a")
    assert (refused.status, refused.headers["content-type"]) == (400, "text/plain")
    assert refused.body == f"Unexpected path: {PATH}?name=a. Should be {PATH}"


def test_the_page_may_have_another_path(models: Path, tmp_path: Path) -> None:
    flag = monitoring(tmp_path, 'prometheus_config { enable: true path: "/metrics" }')
    with servers.running(tmp_path, f"--model_base_path={models / 'line'}", flag) as server:
        assert ":tensorflow:serving:request_count" in server.get("/metrics").body
        assert server.get(PATH).status == 404


def test_every_metric_is_counted_somewhere(loading_models: Path, tmp_path: Path) -> None:
    flags = ("--model_name=m", f"--model_base_path={loading_models / 'warm_every'}", "--enable_batching")
    with servers.running(tmp_path, *flags, monitoring(tmp_path, ENABLED)) as server:
        assert server.predict("m", {"instances": [[1]]}).status == 200
        examples = b'{"signature_name": "classify", "examples": [{"x": 1.0}]}'
        assert server.request("POST", "/v1/models/m:classify", examples).status == 200
        with grpcclients.connected(server.grpc_port) as client:
            client.prediction.Predict(grpcclients.predict_request("m", x=[[1]]), timeout=60)
            client.prediction.Regress(grpcclients.regress_request("m", "regress", [1, 2]), timeout=60)
            assert grpcclients.failure(client.prediction.Predict, grpcclients.predict_request("none", x=[1]))
        lines = server.get(PATH).body.splitlines()
    types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    silent = [
        name for name in types if not any(line.startswith((f"{name}{{", f"{name}_count{{")) for line in lines)
    ]
    assert silent == []
    found = {line.rsplit(" ", 1)[0] for line in lines}
    for labels in (
        'request_latency_count{model_name="m",API="predict",entrypoint="REST"}',
        'request_latency_count{model_name="m",API="classify",entrypoint="REST"}',
        'request_latency_count{model_name="m",API="Predict",entrypoint="GRPC"}',
        'request_latency_count{model_name="m",API="Regress",entrypoint="GRPC"}',
        *(
            f'runtime_latency_count{{model_name="m",API="{api}",runtime="TF1"}}'
            for api in ("Predict", "Classify")
        ),
        'runtime_latency_count{model_name="recorded",API="Regress",runtime="TF1"}',
        'request_count{model_name="none",status="NOT_FOUND"}',
        'request_example_count_total{model="m"}',
        f'model_warmup_latency_count{{model_path="{loading_models / "warm_every" / "1"}",status="OK"}}',
    ):
        assert f":tensorflow:serving:{labels}" in found, labels


@pytest.mark.parametrize("text", ["", "prometheus_config { }", 'prometheus_config { path: "/metrics" }'])
def test_there_is_no_page_unless_it_is_enabled(models: Path, tmp_path: Path, text: str) -> None:
    with servers.running(
        tmp_path, f"--model_base_path={models / 'line'}", monitoring(tmp_path, text)
    ) as server:
        assert [server.get(path).status for path in (PATH, "/metrics")] == [404, 404]


@pytest.mark.parametrize(
    ("flag", "want"),
    [
        ("--monitoring_config_file=/none", "NOT_FOUND: /none; No such file or directory"),
        (None, "INVALID_ARGUMENT: Invalid protobuf file: '"),
    ],
)
def test_a_bad_config_file_ends_the_start(models: Path, tmp_path: Path, flag: str | None, want: str) -> None:
    given = flag or monitoring(tmp_path, "prometheus_config { enabled: true }")
    with servers.launched(tmp_path, f"--model_base_path={models / 'line'}", given) as server:
        assert server.wait_for_exit() == 255
        assert server.output.startswith("Failed to start server. Error: ")
        assert want in server.output


def test_buckets_are_cumulative_and_every_metric_has_its_type() -> None:
    counted = metrics.Metrics()
    for seconds in (0.00001, 0.00003, 3600.0):
        counted.request_done(
            model='a"\\b', api="Predict", entrypoint="GRPC", code=errors.Code.OK, seconds=seconds
        )
    counted.request_done(model="c", api="", entrypoint="REST", code=errors.Code.ABORTED, seconds=1.0)
    lines = counted.page().splitlines()
    labels = r'model_name="a\"\\b",API="Predict",entrypoint="GRPC"'
    name = ":tensorflow:serving:request_latency"
    found = [line for line in lines if line.startswith(name)]
    assert found[:3] == [
        f'{name}_bucket{{{labels},le="10"}} 0',
        f'{name}_bucket{{{labels},le="18"}} 1',
        f'{name}_bucket{{{labels},le="32.4"}} 2',
    ]
    assert found[32:] == [
        f'{name}_bucket{{{labels},le="1.47476e+09"}} 2',
        f'{name}_bucket{{{labels},le="+Inf"}} 3',
        f"{name}_sum{{{labels}}} 3.6e+09",
        f"{name}_count{{{labels}}} 3",
    ]
    assert f"# TYPE {name} histogram" in lines
    types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert types == sorted(types)
    assert {
        "request_count",
        "runtime_latency",
        "model_warmup_latency",
        "batching_session:queuing_latency",
    } <= {each.removeprefix(":tensorflow:serving:") for each in types}
    assert {"load_attempt_count", "load_latency"} <= {
        each.removeprefix(":tensorflow:cc:saved_model:") for each in types
    }
    assert ':tensorflow:serving:request_count{model_name="c",status="ABORTED"} 1' in lines
