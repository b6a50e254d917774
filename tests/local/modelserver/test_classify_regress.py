"""Classify, regress and multi-inference over gRPC, classify and regress over REST."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from local.modelserver import protos
from tests.local.modelserver import grpcclients, servers

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def client(server: servers.Server) -> Iterator[grpcclients.Client]:
    with grpcclients.connected(server.grpc_port) as connected:
        yield connected


def classes(result: Any) -> list[list[tuple[str, float]]]:
    return [[(each.label, each.score) for each in row.classes] for row in result.classifications]


def values(result: Any) -> list[float]:
    return [each.value for each in result.regressions]


def named(xs: Sequence[float], name: bytes) -> Any:
    request = grpcclients.classify_request("examples", "classify", xs)
    for example in request.input.example_list.examples:
        example.features.feature["name"].bytes_list.value.append(name)
    return request


def test_a_classification_has_labels_and_scores(client: grpcclients.Client) -> None:
    answer = client.prediction.Classify(named([2, 4], "größe".encode()))
    assert classes(answer.result) == [[("größe", 3), ("0", 4)], [("größe", 4), ("0", 5)]]
    spec = answer.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("examples", "classify", 123)


@pytest.mark.parametrize(
    ("signature", "want"),
    [
        ("classify_scores", [[("", 3)]]),
        ("classify_classes", [[("", 0), ("0", 0)]]),
        ("predicts_classes", [[("", 3)]]),
    ],
)
def test_a_classification_may_lack_labels_or_scores_or_its_method_name(
    client: grpcclients.Client, signature: str, want: list
) -> None:
    answer = client.prediction.Classify(grpcclients.classify_request("examples", signature, [2]))
    assert classes(answer.result) == want


@pytest.mark.parametrize("signature", ["regress", "regress_flat", "predicts_values"])
def test_a_regression_has_a_value_for_each_example(client: grpcclients.Client, signature: str) -> None:
    answer = client.prediction.Regress(grpcclients.regress_request("examples", signature, [2, 4, 5]))
    assert values(answer.result) == [3, 4, 4.5]
    assert (answer.model_spec.signature_name, answer.model_spec.version.value) == (signature, 123)


def test_a_context_belongs_to_every_example(client: grpcclients.Client) -> None:
    request = protos.regression_pb2.RegressionRequest()
    grpcclients.fill_spec(request.model_spec, "examples", "regress")
    listed = request.input.example_list_with_context
    listed.context.features.feature["x"].float_list.value.append(8)
    listed.examples.add()
    grpcclients.add_examples(listed.examples, [2])
    assert values(client.prediction.Regress(request).result) == [6, 3]


def test_input_without_examples_is_refused(client: grpcclients.Client) -> None:
    for kind in ("", "example_list", "example_list_with_context"):
        request = grpcclients.regress_request("examples", "regress", [])
        if kind:
            getattr(request.input, kind).SetInParent()
        assert grpcclients.failure(client.prediction.Regress, request) == (
            "INVALID_ARGUMENT",
            "Input is empty.",
        )


CLASSIFY_PROBLEMS = [
    ("none", "No signature was found with the name: none"),
    ("two_inputs", "Expected one input Tensor."),
    ("classify_three", "Expected one or two output Tensors, found 3"),
    ("serving_default", 'No classification inputs found in SignatureDef: inputs {\n  key: "x"'),
    ("classify_unfed", 'No classification inputs found in SignatureDef: inputs {\n  key: "x"'),
    (
        "classify_misnamed",
        'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was:'
        ' inputs {\n  key: "inputs"',
    ),
    ("classify_flat", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
    ("classify_integers", "Expected scores Tensor of DT_FLOAT. Got: DT_INT32"),
    ("classify_numbers", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
    ("classify_short", "Expected scores output batch size of 2. Got: 1"),
    ("classify_uneven", "Tensors class and score should match in dim_size(1). Got 2 vs. 1"),
]
REGRESS_PROBLEMS = [
    ("none", "No signature was found with the name: none"),
    ("two_inputs", "Expected one input Tensor."),
    ("regress_two", "Expected one output Tensor."),
    ("regress_unfed", 'No regression inputs found in SignatureDef: inputs {\n  key: "x"'),
    ("regress_misnamed", 'No regression outputs found in SignatureDef: inputs {\n  key: "inputs"'),
    (
        "regress_wide",
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
    ),
    ("regress_short", "Input batch size did not match output batch size: 2 vs. 1"),
    ("regress_integers", "Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
]


@pytest.mark.parametrize(("signature", "want"), CLASSIFY_PROBLEMS)
def test_a_signature_that_cannot_classify(
    client: grpcclients.Client, server: servers.Server, signature: str, want: str
) -> None:
    request = grpcclients.classify_request("examples", signature, [2, 4])
    code, words = grpcclients.failure(client.prediction.Classify, request)
    assert (code, words[: len(want)]) == ("INVALID_ARGUMENT", want)
    document = {"signature_name": signature, "examples": [{"x": 2.0}, {"x": 4.0}]}
    answer = server.call("examples", "classify", document)
    assert (answer.status, answer.error[: len(want)]) == (400, want)


@pytest.mark.parametrize(("signature", "want"), REGRESS_PROBLEMS)
def test_a_signature_that_cannot_regress(
    client: grpcclients.Client, server: servers.Server, signature: str, want: str
) -> None:
    request = grpcclients.regress_request("examples", signature, [2, 4])
    code, words = grpcclients.failure(client.prediction.Regress, request)
    assert (code, words[: len(want)]) == ("INVALID_ARGUMENT", want)
    document = {"signature_name": signature, "examples": [{"x": 2.0}, {"x": 4.0}]}
    answer = server.call("examples", "regress", document)
    assert (answer.status, answer.error[: len(want)]) == (400, want)


def test_a_request_without_a_model_spec_or_for_an_unknown_model(client: grpcclients.Client) -> None:
    for call, request in (
        (client.prediction.Classify, protos.classification_pb2.ClassificationRequest()),
        (client.prediction.Regress, protos.regression_pb2.RegressionRequest()),
    ):
        assert grpcclients.failure(call, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")
        request.model_spec.name = "none"
        assert grpcclients.failure(call, request) == (
            "NOT_FOUND",
            "Servable not found for request: Latest(none)",
        )


def multi_request(*tasks: tuple[str, str, str], xs: Sequence[float] = (2,)) -> Any:
    request = protos.inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        grpcclients.fill_spec(task.model_spec, model, signature)
    grpcclients.add_examples(request.input.example_list.examples, xs)
    return request


def test_several_signatures_run_at_once_on_the_same_examples(client: grpcclients.Client) -> None:
    request = multi_request(
        ("examples", "regress", REGRESS),
        ("examples", "classify_scores", CLASSIFY),
        ("examples", "classify", CLASSIFY),
        xs=[2, 4],
    )
    first, second, third = client.prediction.MultiInference(request).results
    assert values(first.regression_result) == [3, 4]
    assert classes(second.classification_result) == [[("", 3)], [("", 4)]]
    assert classes(third.classification_result) == [[("", 3), ("0", 4)], [("", 4), ("0", 5)]]
    specs = [(each.model_spec.signature_name, each.model_spec.version.value) for each in (first, second)]
    assert specs == [("regress", 123), ("classify_scores", 123)]


def test_signatures_with_inputs_of_their_own_get_the_same_examples(client: grpcclients.Client) -> None:
    request = multi_request(("examples", "regress", REGRESS), ("examples", "regress_other", REGRESS))
    first, second = client.prediction.MultiInference(request).results
    assert [values(each.regression_result) for each in (first, second)] == [[3], [1]]


@pytest.mark.parametrize(
    ("tasks", "want"),
    [
        ([], ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        ([("", "regress", REGRESS)], ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (
            [("none", "regress", REGRESS)],
            ("NOT_FOUND", "Servable not found for request: Latest(none)"),
        ),
        (
            [("examples", "regress", REGRESS), ("", "classify", CLASSIFY)],
            ("INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        ),
        (
            [("examples", "regress", REGRESS), ("line", "classify", CLASSIFY)],
            (
                "INVALID_ARGUMENT",
                "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
            ),
        ),
        (
            [("examples", "regress", REGRESS), ("examples", "regress", REGRESS)],
            ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress"),
        ),
        (
            [("examples", "none", REGRESS)],
            ("INVALID_ARGUMENT", "Requested signature not found in model graph: none"),
        ),
        (
            [("examples", "regress", "tensorflow/serving/predict")],
            ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
        ),
        (
            [("examples", "regress", REGRESS), ("examples", "classify_flat", CLASSIFY)],
            ("INVALID_ARGUMENT", "Expected Tensor shape: [batch_size num_classes] but got [1]"),
        ),
    ],
)
def test_tasks_that_do_not_fit_together(
    client: grpcclients.Client, tasks: list, want: tuple[str, str]
) -> None:
    assert grpcclients.failure(client.prediction.MultiInference, multi_request(*tasks)) == want


def test_several_signatures_without_examples_are_refused(client: grpcclients.Client) -> None:
    request = multi_request(("examples", "regress", REGRESS), xs=[])
    want = ("INVALID_ARGUMENT", "Input is empty.")
    assert grpcclients.failure(client.prediction.MultiInference, request) == want


def test_rest_prints_classifications_as_the_original_prints_them(server: servers.Server) -> None:
    document = {"signature_name": "classify", "examples": [{"x": 2.0, "name": 'a"'}, {"count": [7]}]}
    answer = server.call("examples", "classify", document)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == (
        '{\n    "results": [[["a\\"", 3.0], ["0", 4.0]], [["", 2.0], ["7", 3.0]]\n    ]\n}'
    )


def test_rest_prints_regressions_as_the_original_prints_them(server: servers.Server) -> None:
    document = {"signature_name": "regress", "examples": [{"x": [2.0]}, {"x": 1e-3}]}
    answer = server.call("examples", "regress", document, version=123)
    assert (answer.status, answer.body) == (200, '{\n    "results": [3.0, 2.0005]\n}')


def test_rest_takes_a_context_and_base64(server: servers.Server) -> None:
    document = {
        "signature_name": "classify",
        "context": {"x": 8.0},
        "examples": [{"name": {"b64": "YWJj"}}, {"x": 2.0, "count": True}],
    }
    assert server.call("examples", "classify", document).json == {
        "results": [[["abc", 6.0], ["0", 7.0]], [["", 3.0], ["1", 4.0]]]
    }


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ("{", "JSON Parse error: Missing a name for object member. at offset: 1"),
        (
            "{}",
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
        ),
        (
            '{"examples": 1}',
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
        ),
        (
            '{"examples": []}',
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
        ),
        ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
        ('{"context": [], "examples": []}', "Example must be JSON object but got JSON Array"),
        (
            '{"examples": [{"x": null}]}',
            "Feature: x has element with unexpected JSON type: Null",
        ),
        (
            '{"examples": [{"x": [[1]]}]}',
            "Feature: x has element with unexpected JSON type: Array",
        ),
        (
            '{"examples": [{"x": {"a": 1}}]}',
            "Feature: x has element with unexpected JSON type: Object",
        ),
        (
            '{"examples": [{"x": [1, 2.5]}]}',
            "Unexpected element type in feature: x expecting type: int64",
        ),
        (
            '{"examples": [{"x": [2.5, 1]}]}',
            "Unexpected element type in feature: x expecting type: float",
        ),
        (
            '{"examples": [{"x": ["a", true]}]}',
            "Unexpected element type in feature: x expecting type: bytes",
        ),
        (
            '{"examples": [{"x": 9223372036854775808}]}',
            "Feature: x has uint64 element. Only int64 is supported.",
        ),
        (
            '{"examples": [{"x": 1e39}]}',
            "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        ),
        ('{"examples": [{"x": {"b64": "?"}}]}', "Unable to base64 decode"),
        (
            '{"signature_name": 1, "examples": [{}]}',
            'JSON Value: {\n    "signature_name": 1,\n    "examples": [\n        {}\n    ]\n} not formatted'
            " correctly. 'signature_name' key must be a string value.",
        ),
    ],
)
@pytest.mark.parametrize("method", ["classify", "regress"])
def test_rest_tells_what_is_wrong_with_a_request(
    server: servers.Server, method: str, body: str, want: str
) -> None:
    answer = server.call("examples", method, body.encode())
    assert (answer.status, answer.error) == (400, want)


def test_rest_reports_an_operations_error(server: servers.Server) -> None:
    document = {"signature_name": "regress", "examples": [{"x": 1}]}
    answer = server.call("examples", "regress", document)
    assert answer.status == 400
    assert "Data types don't match. Data type: int64 but expected type: float" in answer.error


def test_rest_names_an_unknown_model_after_reading_the_request(server: servers.Server) -> None:
    assert server.call("none", "classify", b"{").status == 400
    answer = server.call("none", "classify", {"examples": [{}]})
    assert (answer.status, answer.error) == (404, "Servable not found for request: Latest(none)")


@pytest.mark.parametrize("method", ["classify", "regress", "predict"])
def test_an_integer_beyond_all_floats_is_no_json(server: servers.Server, method: str) -> None:
    key = "instances" if method == "predict" else "examples"
    start = f'{{"{key}": [{{"x": '
    model = "line" if method == "predict" else "examples"
    answer = server.call(model, method, f"{start}-1{'0' * 400}}}]}}".encode())
    want = f"JSON Parse error: Number too big to be stored in double. at offset: {len(start)}"
    assert (answer.status, answer.error) == (400, want)
