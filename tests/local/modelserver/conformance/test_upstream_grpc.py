"""What the original's own tests ask over gRPC (``tensorflow_model_server_test.py``), asked anew."""

import os
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.local.modelserver.conformance import harness

TRACE = Path(__file__).with_name("trace.py")
EACH_TENSORFLOW = pytest.mark.parametrize(
    ("fixture", "model"),
    [("default", "default"), ("several", "half_plus_two_tf2")],
    ids=["tensorflow1", "tensorflow2"],
)


def one_example() -> input_pb2.Input:
    request_input = input_pb2.Input()
    example = request_input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    return request_input


def test_get_model_status_lists_the_only_version_without_an_error(default: harness.Server) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    (status,) = default.models.GetModelStatus(request, harness.RPC_SECONDS).model_version_status
    assert (status.version, status.status.error_code) == (harness.VERSION, 0)
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE


def test_get_model_metadata_has_the_signatures_and_nothing_else(default: harness.Server) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "default"
    answer = default.predictions.GetModelMetadata(request, harness.RPC_SECONDS)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("default", harness.VERSION)
    assert list(answer.metadata) == ["signature_def"]
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "classify_x_to_y", "regress_x_to_y"} <= set(signatures.signature_def)


@EACH_TENSORFLOW
def test_classify_gives_one_class_with_a_score(
    request: pytest.FixtureRequest, fixture: str, model: str
) -> None:
    asked = classification_pb2.ClassificationRequest(input=one_example())
    asked.model_spec.name, asked.model_spec.signature_name = model, "classify_x_to_y"
    server = request.getfixturevalue(fixture)
    answer = server.predictions.Classify(asked, harness.RPC_SECONDS)
    (classification,) = answer.result.classifications
    (found,) = classification.classes
    assert (found.label, found.score) == ("", 3.0)
    harness.assert_spec(answer.model_spec, model, "classify_x_to_y")


@EACH_TENSORFLOW
def test_regress_gives_one_value(request: pytest.FixtureRequest, fixture: str, model: str) -> None:
    asked = regression_pb2.RegressionRequest(input=one_example())
    asked.model_spec.name, asked.model_spec.signature_name = model, "regress_x_to_y"
    answer = request.getfixturevalue(fixture).predictions.Regress(asked, harness.RPC_SECONDS)
    assert [regression.value for regression in answer.result.regressions] == [3.0]
    harness.assert_spec(answer.model_spec, model, "regress_x_to_y")


@EACH_TENSORFLOW
def test_multi_inference_answers_each_task_in_its_place(
    request: pytest.FixtureRequest, fixture: str, model: str
) -> None:
    asked = inference_pb2.MultiInferenceRequest(input=one_example())
    for kind in ("regress", "classify"):
        task = asked.tasks.add(method_name=f"tensorflow/serving/{kind}")
        task.model_spec.name, task.model_spec.signature_name = model, f"{kind}_x_to_y"
    answer = request.getfixturevalue(fixture).predictions.MultiInference(asked, harness.RPC_SECONDS)
    regressed, classified = answer.results
    assert regressed.regression_result.regressions[0].value == 3.0
    assert classified.classification_result.classifications[0].classes[0].score == 3.0
    harness.assert_spec(regressed.model_spec, model, "regress_x_to_y")
    harness.assert_spec(classified.model_spec, model, "classify_x_to_y")


@pytest.mark.parametrize("only", [("y",), ()], ids=["with_output_filter", "without_output_filter"])
def test_predict_saved_model_answers(default: harness.Server, only: tuple[str, ...]) -> None:
    harness.assert_predicts(default, 3.0, only=only)


def test_predict_uds_answers_on_the_unix_socket(default: harness.Server) -> None:
    with grpc.insecure_channel(f"unix:{default.socket_path}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answer = stub.Predict(harness.predict_request(x=harness.floats(2.0)), harness.RPC_SECONDS)
    assert list(answer.outputs["y"].float_val) == [3.0]


def test_tf_saved_model_save_of_a_checkpoint_answers(several: harness.Server) -> None:
    harness.assert_predicts(several, 12.0, model="product")


def test_tf_saved_model_save_multiple_signatures_answers_by_the_signature_that_is_named(
    several: harness.Server,
) -> None:
    custom = "custom_signature_key"
    harness.assert_predicts(several, 2.0, model="two_signatures", signature=custom, only=("y",))
    harness.assert_predicts(several, 1.0, model="two_signatures", only=("y",))


def test_sequential_keras_saved_model_save_answers(several: harness.Server) -> None:
    harness.assert_predicts(several, 2.0, model="keras_sequential", shape=(1, 1))


def test_distrat_saved_model_save_of_mirrored_variables_answers(several: harness.Server) -> None:
    harness.assert_predicts(several, 2.0, model="distributed", shape=(1, 1))


def test_profiler_service_with_valid_trace_request_traces_predictions(
    default: harness.Server, tmp_path: Path
) -> None:
    command = (sys.executable, TRACE, f"localhost:{default.grpc_port}", tmp_path, "500", "10")
    environment = os.environ | {"PYTHONPATH": str(TRACE.parents[4])}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as client:
        while client.poll() is None:
            assert default.rest("/v1/models/default:predict", {"instances": [2.0]})[0] == 200
            time.sleep(0.02)
        assert client.returncode == 0, client.stderr.read()
    assert [path.stat().st_size > 0 for path in tmp_path.rglob("*.xplane.pb")] == [True]
