"""gRPC: metadata, states, reload, health, and what the flags make of the server."""

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from local.modelserver import protos
from tests.local.modelserver import grpcclients, servers

MANY = ("--file_system_poll_wait_seconds=1", "--max_num_load_retries=0")


@pytest.fixture(scope="module")
def client(server: servers.Server) -> Iterator[grpcclients.Client]:
    with grpcclients.connected(server.grpc_port) as connected:
        yield connected


def metadata_request(name: str, *fields: str) -> Any:
    request = protos.get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    return request


def status_request(name: str, **spec: Any) -> Any:
    request = protos.get_model_status_pb2.GetModelStatusRequest()
    grpcclients.fill_spec(request.model_spec, name, **spec)
    return request


def test_metadata_are_the_signatures_of_a_version(client: grpcclients.Client, server: servers.Server) -> None:
    answer = client.prediction.GetModelMetadata(metadata_request("line", "signature_def"))
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("line", 2)
    assert answer.model_spec.signature_name == ""
    found = protos.get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].type_url == (
        "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    )
    assert answer.metadata["signature_def"].Unpack(found)
    over_rest = server.get("/v1/models/line/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert set(found.signature_def) == set(over_rest) == {"serving_default", "__saved_model_init_op"}
    assert found.signature_def["serving_default"].inputs["x"].name == "serving_default_x:0"


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["signature_def", "assets"], "Metadata field %s is not supportedassets"),
    ],
)
def test_metadata_that_there_are_not(client: grpcclients.Client, fields: list, want: str) -> None:
    request = metadata_request("none", *fields)
    assert grpcclients.failure(client.prediction.GetModelMetadata, request) == ("INVALID_ARGUMENT", want)


def test_metadata_of_an_unknown_model_or_of_none(client: grpcclients.Client) -> None:
    request = metadata_request("none", "signature_def")
    want = ("NOT_FOUND", "Servable not found for request: Latest(none)")
    assert grpcclients.failure(client.prediction.GetModelMetadata, request) == want
    request.ClearField("model_spec")
    want = ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert grpcclients.failure(client.prediction.GetModelMetadata, request) == want


def test_the_states_of_versions_come_with_their_numbers(client: grpcclients.Client) -> None:
    answer = client.models.GetModelStatus(status_request("line"))
    states = [(each.version, each.state, each.status.error_code) for each in answer.model_version_status]
    available = protos.get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert states == [(2, available, 0), (1, available, 0)]
    one = client.models.GetModelStatus(status_request("line", version=1))
    assert [each.version for each in one.model_version_status] == [1]
    assert client.models.GetModelStatus(status_request("line", label="any")) == answer


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"name": "none"}, ("NOT_FOUND", "Could not find any versions of model none")),
        ({"name": "line", "version": 9}, ("NOT_FOUND", "Could not find version 9 of model line")),
    ],
)
def test_the_state_of_what_is_not_there(
    client: grpcclients.Client, spec: dict, want: tuple[str, str]
) -> None:
    assert grpcclients.failure(client.models.GetModelStatus, status_request(**spec)) == want


def test_the_state_of_no_model_is_refused(client: grpcclients.Client) -> None:
    request = protos.get_model_status_pb2.GetModelStatusRequest()
    want = ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert grpcclients.failure(client.models.GetModelStatus, request) == want


@pytest.mark.parametrize(
    "method",
    [
        "/tensorflow.serving.PredictionService/Guess",
        "/tensorflow.serving.SessionService/SessionRun",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
def test_a_method_that_is_not_there_is_unimplemented_without_words(
    client: grpcclients.Client, method: str
) -> None:
    unary = client.channel.unary_unary(method)
    assert grpcclients.failure(unary, b"") == ("UNIMPLEMENTED", "")
    stream = client.channel.stream_stream(method)
    with pytest.raises(grpc.RpcError) as caught:
        next(stream(iter(()), timeout=60))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def reload_request(*models: tuple[str, Path | str], platform: str = "tensorflow") -> Any:
    request = protos.model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, path in models:
        request.config.model_config_list.config.add(name=name, base_path=str(path), model_platform=platform)
    return request


def test_another_configuration_takes_models_in_and_out(
    models: Path, tmp_path: Path, line_flags: list[str]
) -> None:
    with (
        servers.running(tmp_path, *line_flags, *MANY) as server,
        grpcclients.connected(server.grpc_port) as client,
    ):
        assert grpcclients.predict_line(client) == [2]
        request = reload_request(("line", models / "line"), ("dense", models / "dense"))
        answer = client.models.HandleReloadConfigRequest(request, timeout=60)
        assert (answer.status.error_code, answer.status.error_message) == (0, "")
        assert answer.HasField("status")
        # It waited: the new model answers at once.
        got = client.prediction.Predict(grpcclients.predict_request("dense", x=[[1, 2, 3, 4]]))
        assert list(got.outputs["y"].float_val) == [10, 10, 10]
        path = models / "dense"
        assert f"\nConfig entry\n\tindex : 1\n\tpath : {path}\n\tname : dense\n" in server.log
        client.models.HandleReloadConfigRequest(reload_request(("dense", path)), timeout=60)

        def is_line_gone() -> bool:
            try:
                grpcclients.predict_line(client)
            except grpc.RpcError as error:
                return error.code() is grpc.StatusCode.NOT_FOUND
            return False

        servers.wait_for(is_line_gone, "the model that is no longer configured is gone")


@pytest.mark.parametrize(
    ("entries", "platform", "want"),
    [
        (
            [("a", "relative")],
            "tensorflow",
            "Expected model a to have an absolute path or URI; got base_path()=relative",
        ),
        (
            [("a", "/a"), ("a", "/b")],
            "tensorflow",
            "Illegal to list model a multiple times in config list",
        ),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_and_changes_nothing(
    client: grpcclients.Client, server: servers.Server, entries: list, platform: str, want: str
) -> None:
    request = reload_request(*entries, platform=platform)
    code = grpcclients.failure(client.models.HandleReloadConfigRequest, request)
    assert code == ("INVALID_ARGUMENT", want)
    assert f"ReloadConfig failed: {want}" in server.log
    assert grpcclients.predict_line(client) == [4]


def test_a_configuration_of_another_kind_is_refused(client: grpcclients.Client) -> None:
    want = (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported",
    )
    request = protos.model_management_pb2.ReloadConfigRequest()
    assert grpcclients.failure(client.models.HandleReloadConfigRequest, request) == want
    request.config.custom_model_config.SetInParent()
    assert grpcclients.failure(client.models.HandleReloadConfigRequest, request) == want


def test_every_grpc_inference_is_counted(tmp_path: Path, line_flags: list[str]) -> None:
    monitoring = tmp_path / "monitoring.cfg"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = (*line_flags, f"--monitoring_config_file={monitoring}")
    with (
        servers.running(tmp_path, *flags) as server,
        grpcclients.connected(server.grpc_port) as client,
        futures.ThreadPoolExecutor(4) as clients,
    ):
        assert list(clients.map(lambda _: grpcclients.predict_line(client), range(4))) == [[2]] * 4
        grpcclients.failure(client.prediction.Classify, grpcclients.classify_request("line", "none", [1]))
        page = server.get("/monitoring/prometheus/metrics").body
        assert ':tensorflow:serving:request_count{model_name="line",status="OK"} 4' in page
        assert ':tensorflow:serving:request_count{model_name="line",status="INVALID_ARGUMENT"} 1' in page
        labels = 'model_name="line",API="Predict",entrypoint="GRPC"'
        assert f":tensorflow:serving:request_latency_count{{{labels}}} 4" in page
        labels = 'model_name="line",API="Predict",runtime="TF1"'
        assert f":tensorflow:serving:runtime_latency_count{{{labels}}} 4" in page
