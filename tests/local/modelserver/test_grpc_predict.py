"""gRPC predict: tensors of every type, model specs, output filters, errors."""

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest

from local.modelserver import protos
from tests.local.modelserver import grpcclients, servers

FLOAT = grpcclients.types_pb2.DT_FLOAT


@pytest.fixture(scope="module")
def client(server: servers.Server) -> Iterator[grpcclients.Client]:
    with grpcclients.connected(server.grpc_port) as connected:
        yield connected


def of_type(model: str, signature: str, proto: Any) -> Any:
    request = protos.predict_pb2.PredictRequest()
    grpcclients.fill_spec(request.model_spec, model, signature)
    request.inputs["x"].CopyFrom(proto)
    return request


def test_a_prediction_names_what_answered(client: grpcclients.Client) -> None:
    answer = client.prediction.Predict(grpcclients.predict_request("line", x=[1, 2, 5]))
    assert (answer.model_spec.name, answer.model_spec.signature_name) == ("line", "serving_default")
    assert answer.model_spec.version.value == 2
    assert list(answer.outputs) == ["y"]
    y = answer.outputs["y"]
    assert (y.dtype, [dim.size for dim in y.tensor_shape.dim]) == (FLOAT, [3])
    assert (list(y.float_val), y.tensor_content) == ([3.5, 4, 5.5], b"")


def test_a_request_may_ask_for_a_version(client: grpcclients.Client) -> None:
    request = grpcclients.predict_request("line", x=[1])
    request.model_spec.version.value = 1
    answer = client.prediction.Predict(request)
    assert (answer.model_spec.version.value, list(answer.outputs["y"].float_val)) == (1, [2.5])


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"name": "none"}, ("NOT_FOUND", "Servable not found for request: Latest(none)")),
        (
            {"name": "line", "version": 9},
            ("NOT_FOUND", "Servable not found for request: Specific(line, 9)"),
        ),
        (
            {"name": "line", "label": "canary"},
            ("INVALID_ARGUMENT", "Unrecognized servable version label: canary"),
        ),
        ({"name": ""}, ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (
            {"name": "line", "signature": "s"},
            ("FAILED_PRECONDITION", 'Serving signature key "s" not found.'),
        ),
    ],
)
def test_a_request_for_something_that_is_not_there(
    client: grpcclients.Client, spec: dict, want: tuple[str, str]
) -> None:
    request = grpcclients.predict_request("line", x=[1])
    grpcclients.fill_spec(request.model_spec, **spec)
    assert grpcclients.failure(client.prediction.Predict, request) == want


def test_a_request_without_a_model_spec_is_refused(client: grpcclients.Client) -> None:
    request = protos.predict_pb2.PredictRequest()
    assert grpcclients.failure(client.prediction.Predict, request) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


@pytest.mark.parametrize(
    ("inputs", "want"),
    [
        (
            {"x": [1], "z": [1]},
            "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}."
            " Missing but required: {}.",
        ),
        (
            {},
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}."
            " Missing but required: {x}.",
        ),
        (
            {"z": [1]},
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value"
            " provided. Inputs expected to be in the request {z}, or default input alias set: ",
        ),
    ],
)
def test_inputs_that_do_not_fit_the_signature(client: grpcclients.Client, inputs: dict, want: str) -> None:
    request = grpcclients.predict_request("line", **inputs)
    assert grpcclients.failure(client.prediction.Predict, request) == ("INVALID_ARGUMENT", want)


def test_another_type_than_the_signatures_is_the_runtimes_error(client: grpcclients.Client) -> None:
    proto = grpcclients.tensor_pb2.TensorProto(dtype=grpcclients.types_pb2.DT_DOUBLE, double_val=[1])
    proto.tensor_shape.dim.add(size=1)
    code, words = grpcclients.failure(client.prediction.Predict, of_type("line", "", proto))
    assert (code, words) == ("INVALID_ARGUMENT", "Expects arg[0] to be float but double is provided")


def test_another_shape_than_the_signatures_is_accepted(client: grpcclients.Client) -> None:
    answer = client.prediction.Predict(grpcclients.predict_request("line", x=[[1, 2], [3, 4]]))
    y = answer.outputs["y"]
    assert ([dim.size for dim in y.tensor_shape.dim], list(y.float_val)) == ([2, 2], [3.5, 4, 4.5, 5])


def test_an_operations_error_reaches_the_client(client: grpcclients.Client) -> None:
    request = grpcclients.predict_request("dense", x=[[1, 2, 3, 4, 5]] * 2)
    code, words = grpcclients.failure(client.prediction.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert words.startswith("Matrix size-incompatible: In[0]: [2,5], In[1]: [4,3]\n\t [[{{")


def test_a_long_error_is_cut(client: grpcclients.Client) -> None:
    request = grpcclients.predict_request("line", x=[1], **{"z" * 2000: [1]})
    code, words = grpcclients.failure(client.prediction.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert words.endswith("zz...TRUNCATED")
    assert len(words) == 1024 + len("...TRUNCATED")


def test_only_the_outputs_that_are_asked_for_come_back(client: grpcclients.Client) -> None:
    request = grpcclients.predict_request("examples", x=[[2]])
    assert set(client.prediction.Predict(request).outputs) == {"y", "z"}
    request.output_filter.append("z")
    answer = client.prediction.Predict(request)
    assert {name: list(proto.float_val) for name, proto in answer.outputs.items()} == {"z": [6]}


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        (
            ["y", "w"],
            "output tensor alias not found in signature: w Outputs expected to be in the set {y,z}.",
        ),
        (["y", "y"], "duplicate output tensor alias: y"),
    ],
)
def test_an_output_filter_that_does_not_fit(client: grpcclients.Client, asked: list, want: str) -> None:
    request = grpcclients.predict_request("examples", x=[[2]])
    request.output_filter.extend(asked)
    assert grpcclients.failure(client.prediction.Predict, request) == ("INVALID_ARGUMENT", want)


def test_an_input_with_a_default_may_be_left_out(client: grpcclients.Client) -> None:
    answer = client.prediction.Predict(grpcclients.predict_request("examples", "scaled", x=[[2]]))
    assert list(answer.outputs["y"].float_val) == [9]
    request = grpcclients.predict_request("examples", "scaled", x=[[2]], scale=2)
    assert list(client.prediction.Predict(request).outputs["y"].float_val) == [6]


def test_with_defaults_the_missing_and_the_unknown_inputs_are_told_otherwise(
    client: grpcclients.Client,
) -> None:
    request = grpcclients.predict_request("examples", "scaled", scale=2)
    code, words = grpcclients.failure(client.prediction.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert words.startswith("Signature input alias: x(feed name: ")
    assert words.endswith("Inputs expected to be in the request {scale}, or default input alias set: scale")
    request = grpcclients.predict_request("examples", "scaled", x=[[2]], w=2)
    assert grpcclients.failure(client.prediction.Predict, request) == (
        "INVALID_ARGUMENT",
        "Inputs contains invalid name. Used request inputs: x, request input: w,x",
    )


@pytest.mark.parametrize(
    ("model", "signature", "dtype", "field", "values"),
    [
        ("zoo", "float32", "DT_FLOAT", "float_val", [1.5, -2, float("inf")]),
        ("zoo", "float64", "DT_DOUBLE", "double_val", [0.1, 1e300]),
        ("zoo", "int8", "DT_INT8", "int_val", [-128, 127]),
        ("zoo", "int16", "DT_INT16", "int_val", [-32768, 32767]),
        ("zoo", "int32", "DT_INT32", "int_val", [-(2**31), 2**31 - 1]),
        ("zoo", "int64", "DT_INT64", "int64_val", [-(2**63), 2**63 - 1]),
        ("zoo", "uint8", "DT_UINT8", "int_val", [0, 255]),
        ("zoo", "uint16", "DT_UINT16", "int_val", [0, 65535]),
        ("zoo", "uint32", "DT_UINT32", "uint32_val", [0, 2**32 - 1]),
        ("zoo", "uint64", "DT_UINT64", "uint64_val", [0, 2**64 - 1]),
        ("zoo", "bool", "DT_BOOL", "bool_val", [True, False, True]),
        ("zoo", "string", "DT_STRING", "string_val", [b"a", b"", b"\xff\x00b", b"long" * 20]),
        ("zoo", "float16", "DT_HALF", "half_val", [0x3C00, 0xFBFF, 0x7C01]),
        ("zoo", "bfloat16", "DT_BFLOAT16", "half_val", [0x3F80, 0xFF7F]),
        ("zoo", "complex64", "DT_COMPLEX64", "scomplex_val", [1, 2, -3, 0.5]),
        ("examples", "complex128", "DT_COMPLEX128", "dcomplex_val", [0.1, 2, -3, 0.5]),
        ("examples", "qint8", "DT_QINT8", "int_val", [-128, 127]),
        ("examples", "quint8", "DT_QUINT8", "int_val", [0, 255]),
        ("examples", "qint32", "DT_QINT32", "int_val", [-(2**31), 5]),
    ],
)
def test_a_tensor_of_each_type_goes_in_and_comes_out_in_its_own_field(
    client: grpcclients.Client, model: str, signature: str, dtype: str, field: str, values: list
) -> None:
    count = len(values) // 2 if "COMPLEX" in dtype else len(values)
    proto = grpcclients.tensor_pb2.TensorProto(dtype=getattr(grpcclients.types_pb2, dtype))
    proto.tensor_shape.dim.add(size=1)
    proto.tensor_shape.dim.add(size=count)
    getattr(proto, field).extend(values)
    answer = client.prediction.Predict(of_type(model, signature, proto))
    assert answer.outputs["y"] == proto


@pytest.mark.parametrize(
    ("signature", "dtype", "content", "want"),
    [
        (
            "float32",
            grpcclients.types_pb2.DT_FLOAT,
            np.array([1.5, 2], np.float32).tobytes(),
            {"float_val": [1.5, 2]},
        ),
        (
            "int16",
            grpcclients.types_pb2.DT_INT16,
            np.array([-1, 7], np.int16).tobytes(),
            {"int_val": [-1, 7]},
        ),
        ("bool", grpcclients.types_pb2.DT_BOOL, b"\x00\x01", {"bool_val": [False, True]}),
        ("float16", grpcclients.types_pb2.DT_HALF, b"\x00\x3c\x00\x40", {"half_val": [0x3C00, 0x4000]}),
        ("string", grpcclients.types_pb2.DT_STRING, b"\x01\x02abc", {"string_val": [b"a", b"bc"]}),
    ],
)
def test_a_tensor_may_come_as_its_memory(
    client: grpcclients.Client, signature: str, dtype: int, content: bytes, want: dict
) -> None:
    proto = grpcclients.tensor_pb2.TensorProto(dtype=dtype, tensor_content=content)
    proto.tensor_shape.dim.add(size=2)
    got = client.prediction.Predict(of_type("zoo", signature, proto)).outputs["y"]
    assert {field: list(getattr(got, field)) for field in want} == want


@pytest.mark.parametrize(
    ("given", "size", "want"),
    [([7.0], 3, [7, 7, 7]), ([1.0, 2.0], 4, [1, 2, 2, 2]), ([], 2, [0, 0]), ([1.0, 2.0, 3.0], 2, [1, 2])],
)
def test_the_last_value_stands_for_those_that_are_missing(
    client: grpcclients.Client, given: list, size: int, want: list
) -> None:
    proto = grpcclients.tensor_pb2.TensorProto(dtype=FLOAT, float_val=given)
    proto.tensor_shape.dim.add(size=size)
    got = client.prediction.Predict(of_type("zoo", "float32", proto)).outputs["y"]
    assert list(got.float_val) == want


def test_a_scalar_and_an_empty_tensor_keep_their_shapes(client: grpcclients.Client) -> None:
    scalar = grpcclients.tensor_pb2.TensorProto(dtype=FLOAT, float_val=[3])
    got = client.prediction.Predict(of_type("zoo", "float32", scalar)).outputs["y"]
    assert (list(got.float_val), len(got.tensor_shape.dim)) == ([3], 0)
    empty = grpcclients.tensor_pb2.TensorProto(dtype=FLOAT)
    for size in (2, 0):
        empty.tensor_shape.dim.add(size=size)
    got = client.prediction.Predict(of_type("zoo", "float32", empty)).outputs["y"]
    assert ([dim.size for dim in got.tensor_shape.dim], list(got.float_val)) == ([2, 0], [])


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": grpcclients.types_pb2.DT_INVALID},
        {"dtype": grpcclients.types_pb2.DT_RESOURCE},
        {"dtype": 77},
        {"tensor_content": b"abc"},
        {"sizes": [-1]},
        {"sizes": [2**40, 2**40]},
        {"unknown_rank": True},
        {"dtype": grpcclients.types_pb2.DT_STRING, "tensor_content": b"\x05a"},
    ],
    ids=str,
)
def test_what_is_no_tensor_is_refused(client: grpcclients.Client, change: dict) -> None:
    proto = grpcclients.tensor_pb2.TensorProto(dtype=change.get("dtype", FLOAT), float_val=[1])
    proto.tensor_content = change.get("tensor_content", b"")
    proto.tensor_shape.unknown_rank = change.get("unknown_rank", False)
    for size in change.get("sizes", [1]):
        proto.tensor_shape.dim.add(size=size)
    request = of_type("line", "", proto)
    assert grpcclients.failure(client.prediction.Predict, request) == (
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    )


def test_a_request_and_an_answer_of_many_megabytes_pass(
    client: grpcclients.Client, server: servers.Server
) -> None:
    values = np.arange(4 * 2**20, dtype=np.float32)
    request = grpcclients.predict_request("line")
    x = request.inputs["x"]
    x.dtype, x.tensor_content = FLOAT, values.tobytes()
    x.tensor_shape.dim.add(size=values.size)
    limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpcclients.connected(server.grpc_port, options=limit) as unlimited:
        got = unlimited.prediction.Predict(request).outputs["y"]
    assert np.array_equal(np.array(got.float_val, np.float32), values * np.float32(0.5) + np.float32(3))
    code, words = grpcclients.failure(client.prediction.Predict, request)
    assert (code, "larger than max" in words) == ("RESOURCE_EXHAUSTED", True)  # the client's own limit


def test_a_run_ends_with_its_clients_patience(client: grpcclients.Client, server: servers.Server) -> None:
    request = grpcclients.predict_request("slow", x=[100_000])
    with pytest.raises(grpc.RpcError) as caught:
        client.prediction.Predict(request, timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # The run itself was ended too: its work would take minutes, and this waits for the same processors.
    client.prediction.Predict(grpcclients.predict_request("slow", x=[1]), timeout=20)


def test_rest_and_grpc_answer_32_clients_at_once_each_with_its_own_numbers(
    server: servers.Server, client: grpcclients.Client
) -> None:
    rounds = 20

    def over_grpc(number: int) -> list[Any]:
        requests = [grpcclients.predict_request("line", x=[number, i]) for i in range(rounds)]
        return [list(client.prediction.Predict(each).outputs["y"].float_val) for each in requests]

    def over_rest(number: int) -> list[Any]:
        bodies = [{"instances": [number, i]} for i in range(rounds)]
        return [server.predict("line", each).json["predictions"] for each in bodies]

    with futures.ThreadPoolExecutor(32) as clients:
        running = [
            (number, clients.submit(over_grpc if number % 2 else over_rest, number)) for number in range(32)
        ]
        for number, each in running:
            want = [[0.5 * number + 3, 0.5 * i + 3] for i in range(rounds)]
            assert each.result() == want
