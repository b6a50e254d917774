"""Batching becomes a file and flags; specs without it stay what they were."""

from pathlib import Path
from typing import Any

import pytest

from local.modelserver import batchparameters, textprotos
from tests.support import specs
from tfserving_operator.core import revisions, workloads

ALL = {
    "maxBatchSize": 32,
    "batchTimeoutMicros": 2000,
    "maxEnqueuedBatches": 64,
    "numBatchThreads": 2,
    "allowedBatchSizes": [8, 32],
}


def _file(batching: dict[str, Any], **changes: Any) -> str:
    spec = specs.make_spec(server={"batching": batching}, **changes)
    built = workloads.build_config_map(owner=specs.OWNER, spec=spec, revision="resnet-1")
    text: str = built["data"]["batching.config"]
    return text


def _flags(**changes: Any) -> dict[str, str]:
    built = workloads.build_deployment(
        owner=specs.OWNER,
        spec=specs.make_spec(**changes),
        policy=specs.POLICY,
        revision="resnet-1",
        replicas=1,
        colocate=False,
    )
    (server,) = built["spec"]["template"]["spec"]["containers"]
    return dict(argument.removeprefix("--").split("=", 1) for argument in server["args"])


def test_all_of_batching_is_written_as_the_server_reads_it() -> None:
    assert _file(ALL) == (
        "max_batch_size { value: 32 }\n"
        "batch_timeout_micros { value: 2000 }\n"
        "max_enqueued_batches { value: 64 }\n"
        "num_batch_threads { value: 2 }\n"
        "allowed_batch_sizes: 8\n"
        "allowed_batch_sizes: 32\n"
    )


@pytest.mark.parametrize(("cpu", "threads"), [("1500m", 2), ("4", 4), (None, 16)])
def test_what_is_left_out_is_the_servers_own_but_for_threads_that_it_would_count_on_the_node(
    cpu: str | None, threads: int
) -> None:
    text = _file({"maxBatchSize": 4}, resources={"limits": {"cpu": cpu}})
    assert text == f"max_batch_size {{ value: 4 }}\nnum_batch_threads {{ value: {threads} }}\n"


def test_the_development_model_server_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "batching.config"
    path.write_text(_file(ALL))
    read = batchparameters.Parameters.from_proto(textprotos.read_batching_parameters(str(path)))
    read.check_threads()
    read.check_queue()
    assert (read.max_batch_size, read.batch_timeout_micros, read.max_enqueued_batches) == (32, 2000, 64)
    assert (read.num_batch_threads, read.allowed_batch_sizes) == (2, (8, 32))


def test_the_server_is_told_of_the_file() -> None:
    flags = _flags(server={"batching": ALL})
    assert flags["enable_batching"] == "true"
    assert flags["batching_parameters_file"] == "/etc/tensorflow-serving/batching.config"
    assert "enable_batching" not in _flags()


@pytest.mark.parametrize(
    ("size", "cpu", "threads"),
    [(4, "1", 16), (8, "1", 16), (9, "1", 18), (32, "1", 64), (32, "32", 128), (4096, "1", 1024)],
)
def test_one_batch_fills_while_another_runs_and_the_probe_finds_a_thread(
    size: int, cpu: str, threads: int
) -> None:
    flags = _flags(server={"batching": {"maxBatchSize": size}}, resources={"limits": {"cpu": cpu}})
    assert (flags["rest_api_num_threads"], flags["grpc_max_threads"]) == (str(threads),) * 2


def test_batching_makes_a_revision_and_its_absence_changes_no_name() -> None:
    """When this fails, an upgrade of the operator restarts every model: bring the old canonical form back."""

    def name(batching: dict[str, Any] | None) -> str:
        return revisions.name_of("m", specs.make_spec(server={"batching": batching}))

    assert revisions.name_of("m", specs.make_spec()) == name(None) == "m-a7ee7ba6c"
    assert name(ALL) == "m-a77932bb6"
    assert name({**ALL, "maxEnqueuedBatches": 32}) != name(ALL)
