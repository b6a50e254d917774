"""What the flags of the command line make of the gRPC server: health, sockets, limits, threads, TLS."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import wrappers_pb2

from local.cluster import certificates
from local.modelserver import protos
from tests.local.modelserver import grpcclients, servers


def health_call(client: grpcclients.Client, service: str) -> Any:
    call = client.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=wrappers_pb2.StringValue.SerializeToString,
        response_deserializer=wrappers_pb2.Int32Value.FromString,
    )
    return call, wrappers_pb2.StringValue(value=service)


def test_health_a_socket_and_a_limit_on_messages_come_with_their_flags(
    tmp_path: Path, line_flags: list[str]
) -> None:
    path = tmp_path / "grpc.sock"
    flags = (
        "--enable_grpc_healthcheck_service",
        f"--grpc_socket_path={path}",
        "--grpc_channel_arguments=grpc.max_receive_message_length=1000,grpc.primary_user_agent=a=b,grpc.x=",
        "--enable_signature_method_name_check",
    )
    with servers.running(tmp_path, *line_flags, *flags) as server:
        assert f"Running gRPC ModelServer at 0.0.0.0:{server.grpc_port} ..." in server.log
        assert f"Running gRPC ModelServer at UNIX socket {path} ..." in server.log
        for address in (server.grpc_port, f"unix:{path}"):
            with grpcclients.connected(address) as client:
                assert grpcclients.predict_line(client) == [2]
                for service in ("", "ModelService", "PredictionService"):
                    call, request = health_call(client, service)
                    assert call(request, timeout=60).value == 1
                call, request = health_call(client, "tensorflow.serving.PredictionService")
                assert grpcclients.failure(call, request) == ("NOT_FOUND", "service name unknown")
                large = grpcclients.predict_request("line", x=[0] * 1000)
                code, words = grpcclients.failure(client.prediction.Predict, large)
                assert (code, "larger than max" in words) == ("RESOURCE_EXHAUSTED", True)


def test_health_can_be_watched_by_many(tmp_path: Path, line_flags: list[str]) -> None:
    flags = ("--enable_grpc_healthcheck_service", "--grpc_max_threads=2")
    with (
        servers.running(tmp_path, *line_flags, *flags) as server,
        grpcclients.connected(server.grpc_port) as client,
    ):
        watch = client.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=wrappers_pb2.StringValue.SerializeToString,
            response_deserializer=wrappers_pb2.Int32Value.FromString,
        )
        watches = [watch(wrappers_pb2.StringValue(value=name), timeout=60) for name in ("", "other") * 10]
        assert [next(each).value for each in watches] == [1, 3] * 10
        assert grpcclients.predict_line(client) == [2]  # none of them holds a thread
        for each in watches:
            assert each.is_active()
            each.cancel()


def test_a_socket_alone_will_do(tmp_path: Path, line_flags: list[str]) -> None:
    path = tmp_path / "grpc.sock"
    flags = ("--port=0", f"--grpc_socket_path={path}")
    with (
        servers.running(tmp_path, *line_flags, *flags) as server,
        grpcclients.connected(f"unix:{path}") as client,
    ):
        assert grpcclients.predict_line(client) == [2]
        assert "Running gRPC ModelServer at 0.0.0.0" not in server.log


def test_a_port_that_is_taken_ends_the_server(tmp_path: Path, line_flags: list[str]) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with servers.launched(tmp_path, *line_flags, f"--port={port}", has_rest=False) as server:
            assert server.wait_for_exit() == 255
    assert server.output == (
        "Failed to start server. Error: INVALID_ARGUMENT: Failed to BuildAndStart gRPC server\n"
    )


def test_both_ports_are_closed_until_the_first_model_is_there(tmp_path: Path, models: Path) -> None:
    base = tmp_path / "late"
    base.mkdir()
    flags = (
        "--model_name=late",
        f"--model_base_path={base}",
        "--file_system_poll_wait_seconds=1",
        "--max_num_load_retries=0",
    )
    with servers.launched(tmp_path, *flags) as server:
        servers.wait_for(lambda: "No versions of servable late found" in server.log, "the server looked")
        for port in (server.port, server.grpc_port):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0
        shutil.copytree(models / "line" / "1", tmp_path / "1")
        (tmp_path / "1").rename(base / "1")
        server.wait_until_listening()
        with grpcclients.connected(server.grpc_port) as client:
            assert grpcclients.predict_line(client, "late") == [3]


def status(client: grpcclients.Client) -> tuple[str, str]:
    """The code and the words of a short call."""
    request = protos.get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "slow"
    call = client.models.GetModelStatus.future(request, timeout=60)
    return call.code().name, call.details()


def test_more_calls_than_threads_are_refused_at_once_without_words(tmp_path: Path, models: Path) -> None:
    flags = ("--model_name=slow", f"--model_base_path={models / 'slow'}", "--grpc_max_threads=5")
    with (
        servers.running(tmp_path, *flags) as server,
        grpcclients.connected(server.grpc_port) as client,
    ):
        request = grpcclients.predict_request("slow", x=[2500])
        running = [client.prediction.Predict.future(request, timeout=120) for _ in range(4)]
        servers.wait_for(lambda: status(client)[0] != "OK", "the four are in")
        answers = {status(client) for _ in range(20)}
        assert not any(each.done() for each in running), "the four were over before the question"
        assert answers == {("RESOURCE_EXHAUSTED", "")}
        assert all(each.result().outputs["y"].float_val for each in running)
        assert status(client) == ("OK", "")


def test_with_one_thread_every_call_is_refused(tmp_path: Path, line_flags: list[str]) -> None:
    with (
        servers.running(tmp_path, *line_flags, "--grpc_max_threads=1") as server,
        grpcclients.connected(server.grpc_port) as client,
    ):
        request = grpcclients.predict_request("line", x=[1])
        assert grpcclients.failure(client.prediction.Predict, request) == ("RESOURCE_EXHAUSTED", "")


def test_without_threads_the_process_aborts(tmp_path: Path, line_flags: list[str]) -> None:
    with servers.launched(tmp_path, *line_flags, "--grpc_max_threads=0") as server:
        assert server.wait_for_exit() == -6


def test_method_names_are_checked_under_their_flag(tmp_path: Path, example_models: Path) -> None:
    flags = (
        "--model_name=examples",
        f"--model_base_path={example_models / 'examples'}",
        "--enable_signature_method_name_check",
    )
    with (
        servers.running(tmp_path, *flags) as server,
        grpcclients.connected(server.grpc_port) as client,
    ):
        one_of = (
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict,"
            " tensorflow/serving/classify, tensorflow/serving/regress}. Was: "
        )
        request = grpcclients.predict_request("examples", "unnamed_method", x=[[1]])
        assert grpcclients.failure(client.prediction.Predict, request) == ("INTERNAL", one_of)
        document = {"signature_name": "unnamed_method", "inputs": [[1]]}
        answer = server.predict("examples", document)
        assert (answer.status, answer.error) == (500, one_of)
        request = grpcclients.classify_request("examples", "predicts_classes", [1])
        assert grpcclients.failure(client.prediction.Classify, request) == (
            "INVALID_ARGUMENT",
            "Expected classification signature method_name to be tensorflow/serving/classify."
            " Was: tensorflow/serving/predict",
        )
        document = {"signature_name": "predicts_values", "examples": [{"x": 1.0}]}
        answer = server.call("examples", "regress", document)
        assert (answer.status, answer.error) == (
            400,
            "Expected regression signature method_name to be tensorflow/serving/regress."
            " Was: tensorflow/serving/predict",
        )
        assert server.call("examples", "regress", document | {"signature_name": "regress"}).status == 200


@pytest.fixture
def pki(tmp_path: Path) -> dict[str, bytes]:
    """Keys and certificates by file name: of an authority, a server on loopback and a client."""
    certificates.write_all(tmp_path / "pki")
    return {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}


def ssl_config(folder: Path, *, client_verify: bool = False, **texts: bytes) -> str:
    path = folder / "ssl.cfg"
    lines = [f"{name}: {json.dumps(text.decode())}" for name, text in texts.items()]
    path.write_text("\n".join([*lines, f"client_verify: {str(client_verify).lower()}"]))
    return f"--ssl_config_file={path}"


def test_with_tls_the_server_shows_its_certificate(
    tmp_path: Path, line_flags: list[str], pki: dict[str, bytes]
) -> None:
    flag = ssl_config(tmp_path, server_key=pki["apiserver.key"], server_cert=pki["apiserver.crt"])
    with servers.running(tmp_path, *line_flags, flag) as server:
        trusting = grpc.ssl_channel_credentials(pki["ca.crt"])
        with grpcclients.connected(server.grpc_port, trusting) as client:
            assert grpcclients.predict_line(client) == [2]
        with grpcclients.connected(server.grpc_port) as client:
            request = grpcclients.predict_request("line", x=[1])
            assert grpcclients.failure(client.prediction.Predict, request)[0] == "UNAVAILABLE"
        assert server.predict("line", {"instances": [2]}).json == {"predictions": [2.0]}  # REST has no TLS


def test_with_client_verification_only_known_clients_get_in(
    tmp_path: Path, line_flags: list[str], pki: dict[str, bytes]
) -> None:
    flag = ssl_config(
        tmp_path,
        server_key=pki["apiserver.key"],
        server_cert=pki["apiserver.crt"],
        custom_ca=pki["ca.crt"],
        client_verify=True,
    )
    with servers.running(tmp_path, *line_flags, flag) as server:
        known = grpc.ssl_channel_credentials(pki["ca.crt"], pki["admin.key"], pki["admin.crt"])
        with grpcclients.connected(server.grpc_port, known) as client:
            assert grpcclients.predict_line(client) == [2]
        unknown = grpc.ssl_channel_credentials(pki["ca.crt"])
        with grpcclients.connected(server.grpc_port, unknown) as client:
            request = grpcclients.predict_request("line", x=[1])
            assert grpcclients.failure(client.prediction.Predict, request)[0] == "UNAVAILABLE"


def test_an_unreadable_tls_file_aborts_and_a_bad_key_ends_the_server(
    tmp_path: Path, line_flags: list[str]
) -> None:
    path = tmp_path / "bad.cfg"
    path.write_text("server_key: no quotes")
    with servers.launched(tmp_path, *line_flags, f"--ssl_config_file={path}") as server:
        assert server.wait_for_exit() == -6
    assert f"Invalid protobuf file: '{path}'" in server.log
    flag = ssl_config(tmp_path, server_key=b"no key", server_cert=b"no certificate")
    with servers.launched(tmp_path, *line_flags, flag) as server:
        assert server.wait_for_exit() == 255
    assert "INVALID_ARGUMENT: Failed to BuildAndStart gRPC server" in server.output
