"""Batching: who shares a run, who waits, who is refused."""

import shutil
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import pytest

from tests.local.modelserver import grpcclients, servers

WAIT_SECONDS = 2.0
WAIT = f"batch_timeout_micros {{ value: {int(WAIT_SECONDS * 1e6)} }}"
ONCE = ("--max_num_load_retries=0", "--load_retry_interval_micros=0")


@pytest.fixture(scope="module")
def telling(batching_models: Path) -> Path:
    """The base path of the model that tells what it was run on."""
    return batching_models / "telling"


def batching(folder: Path, parameters: str) -> tuple[str, str]:
    """Write a parameters file and return the flags that use it."""
    (folder / "batching.config").write_text(parameters)
    return "--enable_batching", f"--batching_parameters_file={folder / 'batching.config'}"


@pytest.fixture(scope="module")
def server(telling: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Batches of up to four rows, filled up to two or four, of inputs of any length."""
    folder = tmp_path_factory.mktemp("batching")
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    parameters = (
        f"max_batch_size {{ value: 4 }} {WAIT} num_batch_threads {{ value: 4 }} max_enqueued_batches {{ value: 100 }}"
        " allowed_batch_sizes: 2 allowed_batch_sizes: 4 pad_variable_length_inputs: true"
    )
    flags = (
        "--model_name=m",
        f"--model_base_path={telling}",
        f"--monitoring_config_file={folder / 'monitoring.config'}",
        "--rest_api_num_threads=20",
    )
    with servers.running(folder, *flags, *batching(folder, parameters)) as process:
        yield process


def ask_at_once(server: servers.Server, *documents: dict) -> list[servers.Answer]:
    """Send all documents at the same time and return their answers in order."""
    with futures.ThreadPoolExecutor(len(documents)) as clients:
        return list(clients.map(lambda document: server.predict("m", document), documents))


def double(*numbers: float) -> dict:
    return {"signature_name": "double", "inputs": list(numbers)}


def test_requests_that_come_together_share_a_run_and_get_their_own_rows(server: servers.Server) -> None:
    began = time.monotonic()
    answers = ask_at_once(server, double(1), double(2, 3), double(4))
    assert [answer.json["outputs"]["y"] for answer in answers] == [[2.0], [4.0, 6.0], [8.0]]
    assert [answer.json["outputs"]["rows"] for answer in answers] == [[4], [4, 4], [4]]
    assert time.monotonic() - began < WAIT_SECONDS, "a full batch does not wait"


def test_a_request_that_stays_alone_runs_when_its_time_is_up(server: servers.Server) -> None:
    began = time.monotonic()
    answer = server.predict("m", double(5))
    assert time.monotonic() - began >= WAIT_SECONDS
    assert answer.json["outputs"] == {"rows": [2], "y": [10.0]}, "it was filled up to the least allowed size"


def test_a_request_that_does_not_fit_closes_the_batch_before_it(server: servers.Server) -> None:
    began = time.monotonic()
    with futures.ThreadPoolExecutor(1) as client:
        first = client.submit(server.predict, "m", double(1, 2, 3))
        time.sleep(WAIT_SECONDS / 4)
        second = server.predict("m", double(4, 5, 6, 7))
        assert time.monotonic() - began < WAIT_SECONDS
        assert second.json["outputs"]["rows"] == [4] * 4
        assert first.result().json["outputs"] == {"rows": [4] * 3, "y": [2.0, 4.0, 6.0]}
        assert time.monotonic() - began < WAIT_SECONDS


def test_signatures_do_not_meet_in_a_batch(server: servers.Server) -> None:
    other = {"signature_name": "add", "inputs": {"a": [1, 2], "b": [3, 4]}}
    answers = ask_at_once(server, double(1, 2), other)
    assert answers[0].json["outputs"]["rows"] == [2, 2]
    assert answers[1].json == {"outputs": [4.0, 6.0]}


def test_shorter_rows_are_filled_with_their_requests_first_value(server: servers.Server) -> None:
    rows = ([[1, 2, 3]], [[4]], [[5, 6], [7, 8]])
    answers = ask_at_once(server, *({"signature_name": "total", "inputs": list(each)} for each in rows))
    assert [answer.json["outputs"]["width"] for answer in answers] == [[3], [3], [3, 3]]
    assert [answer.json["outputs"]["y"] for answer in answers] == [[6.0], [12.0], [16.0, 20.0]]


def test_strings_are_batched_and_filled_up_too(server: servers.Server) -> None:
    rows = ([["a", "b"], ["c", "d"]], [["e"], ["f"]])
    answers = ask_at_once(server, *({"signature_name": "join", "inputs": list(each)} for each in rows))
    assert [answer.json["outputs"] for answer in answers] == [["a b", "c d"], ["e e", "f e"]]


def test_requests_for_some_of_the_outputs_meet_each_other(server: servers.Server) -> None:
    def ask(number: float) -> dict[str, list[float]]:
        request = grpcclients.predict_request("m", "double", x=[number, number + 1])
        request.output_filter.append("rows")
        answer = client.prediction.Predict(request, timeout=60)
        return {name: list(tensor.int_val) for name, tensor in answer.outputs.items()}

    began = time.monotonic()
    with grpcclients.connected(server.grpc_port) as client, futures.ThreadPoolExecutor(2) as asking:
        assert list(asking.map(ask, [1, 3])) == [{"rows": [4, 4]}, {"rows": [4, 4]}]
    assert time.monotonic() - began < WAIT_SECONDS


@pytest.mark.parametrize(
    ("document", "want"),
    [
        (double(1, 2, 3, 4, 5), "Task size 5 is larger than maximum input batch size 4"),
        (
            {"signature_name": "double", "inputs": 1},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {"signature_name": "add", "inputs": {"a": [1], "b": [1, 2]}},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        (
            {"signature_name": "scalar", "inputs": [1, 2, 3, 4]},
            "Batched output tensor has 0 dimensions",
        ),
        (
            {"signature_name": "fewer", "inputs": [1, 2, 3, 4]},
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input"
            " tensors",
        ),
    ],
)
def test_what_cannot_be_batched_is_refused(server: servers.Server, document: dict, want: str) -> None:
    answer = server.predict("m", document)
    assert (answer.status, answer.error) == (400, want)


def test_a_failed_run_is_the_failure_of_everybody_in_it(server: servers.Server) -> None:
    narrow, wide = ({"signature_name": "project", "inputs": [[1] * size] * 2} for size in (2, 3))
    answers = ask_at_once(server, narrow, wide)
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].error.startswith("Matrix size-incompatible: In[0]: [4,3], In[1]: [2,1]")
    assert answers[0].error == answers[1].error


def metrics(server: servers.Server) -> dict[str, float]:
    lines = server.get("/monitoring/prometheus/metrics").body.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] == ":")}


def test_the_batches_are_counted(server: servers.Server) -> None:
    before, after = metrics(server), {}
    ask_at_once(server, double(1, 2), double(3))
    after = metrics(server)

    def grown(name: str) -> float:
        found = f":tensorflow:serving:batching_session:{name}"
        return after[found] - before.get(found, 0)

    assert grown('queuing_latency_count{thread_pool_name=""}') == 2
    assert grown('queuing_latency_sum{thread_pool_name=""}') >= WAIT_SECONDS * 1e6
    assert grown("wrapped_run_count{}") == 1
    assert grown("input_batch_size_sum{}") == 3
    assert grown("processed_batch_size_sum{}") == 4
    assert grown('padding_size_sum{execution_batch_size="4"}') == 1


def test_a_full_queue_refuses_and_a_batch_may_come_too_late(telling: Path, tmp_path: Path) -> None:
    parameters = f"max_batch_size {{ value: 2 }} max_enqueued_batches {{ value: 1 }} {WAIT}"
    flags = ("--model_name=m", f"--model_base_path={telling}", "--rest_api_timeout_in_ms=200")
    with servers.running(tmp_path, *flags, *batching(tmp_path, parameters)) as server:
        with futures.ThreadPoolExecutor(1) as client:
            waiting = client.submit(server.predict, "m", double(1))
            time.sleep(WAIT_SECONDS / 4)
            refused = server.predict("m", double(1, 2))
            late = waiting.result()
        assert (refused.status, refused.error) == (
            503,
            "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued and"
            " max_enqueued_batches is 1",
        )
        assert (late.status, late.error) == (429, "Run() timeout exceeded while waiting in batching queue")
        assert server.predict("m", double(1, 2)).json["outputs"]["rows"] == [2, 2]


def test_large_requests_are_split_if_the_parameters_say_so(telling: Path, tmp_path: Path) -> None:
    parameters = (
        "enable_large_batch_splitting { value: true } max_batch_size { value: 8 } max_execution_batch_size { value: 4 }"
        f" max_enqueued_batches {{ value: 2 }} num_batch_threads {{ value: 2 }} {WAIT}"
    )
    flags = ("--model_name=m", f"--model_base_path={telling}")
    with servers.running(tmp_path, *flags, *batching(tmp_path, parameters)) as server:
        with futures.ThreadPoolExecutor(1) as client:
            split = client.submit(server.predict, "m", double(*range(7)))
            time.sleep(WAIT_SECONDS / 4)
            refused = server.predict("m", double(*range(8)))
            outputs = split.result().json["outputs"]
        assert outputs == {"rows": [4, 4, 4, 4, 3, 3, 3], "y": [2.0 * i for i in range(7)]}
        assert (refused.status, refused.error) == (
            503,
            "The batch scheduling queue to which this task was submitted is full; task size is 8 but scheduling"
            " capacity is only 5 (num_enqueued_batches=1, max_enqueued_batches=2, open_batch_size=3,"
            " max_execution_batch_size=4)",
        )
        assert "larger than maximum input batch size 8" in server.predict("m", double(*range(9))).error


def copy(telling: Path, base: Path, parameters: str | None) -> Path:
    shutil.copytree(telling, base)
    if parameters is not None:
        (base / "1" / "batching_params.pbtxt").write_text(parameters)
    return base


def test_versions_bring_their_own_parameters_if_the_flag_says_so(telling: Path, tmp_path: Path) -> None:
    batched = copy(telling, tmp_path / "batched", "max_batch_size { value: 3 } allowed_batch_sizes: 3")
    flag = servers.config_file(tmp_path, servers.model("m", batched), servers.model("plain", telling))
    flags = (flag, "--enable_batching", "--enable_per_model_batching_parameters")
    with servers.running(tmp_path, *flags) as server:
        assert server.predict("m", double(1)).json["outputs"] == {"rows": [3], "y": [2.0]}
        assert server.predict("plain", double(1)).json["outputs"] == {"rows": [1], "y": [2.0]}
        assert server.predict("plain", {"signature_name": "scalar", "inputs": [1, 2]}).json == {
            "outputs": 3.0
        }
        assert server.log.count("Wrapping session to perform batch processing") == 1


def test_without_that_flag_their_parameters_are_not_read(telling: Path, tmp_path: Path) -> None:
    base = copy(telling, tmp_path / "base", "not a parameter")
    flags = ("--model_name=m", f"--model_base_path={base}", "--enable_batching")
    with servers.running(tmp_path, *flags) as server:
        rows = server.predict("m", double(*range(1000))).json["outputs"]["rows"]
        assert rows == [1000] * 1000
        error = server.predict("m", double(*range(1001))).error
        assert error == "Task size 1001 is larger than maximum input batch size 1000"


@pytest.mark.parametrize(
    ("parameters", "want"),
    [
        ("max_batch_size: 4", "INVALID_ARGUMENT: Invalid protobuf file: '"),
        ("largest_batch { value: 4 }", "INVALID_ARGUMENT: Invalid protobuf file: '"),
        ("num_batch_threads { value: 0 }", "INVALID_ARGUMENT: num_batch_threads must be positive; was 0"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "due to error: INVALID_ARGUMENT: Last entry in allowed_batch_sizes must match max_batch_size; last entry"
            " was 4; expected 8}",
        ),
        (
            "batch_timeout_micros { value: -1 }",
            "due to error: INVALID_ARGUMENT: batch_timeout_micros must be non-negative; was -1}",
        ),
    ],
)
def test_parameters_that_make_no_sense_end_the_start(
    telling: Path, tmp_path: Path, parameters: str, want: str
) -> None:
    flags = ("--model_name=m", f"--model_base_path={telling}", *ONCE)
    with servers.launched(tmp_path, *flags, *batching(tmp_path, parameters)) as server:
        assert server.wait_for_exit() == 255
        assert want in server.output


def test_a_parameters_file_that_is_missing_ends_the_start(tmp_path: Path) -> None:
    flags = ("--model_base_path=/m", "--enable_batching", "--batching_parameters_file=/none")
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert "NOT_FOUND: /none; No such file or directory" in server.output
