"""What the original's own tests ask over REST (``tensorflow_model_server_test.py``), asked anew."""

from typing import Any

from tests.local.modelserver.conformance import harness

EXAMPLES = [{"x": 2.0}]


def test_classify_rest_gives_pairs_of_a_label_and_a_score(default: harness.Server) -> None:
    document = {"signature_name": "classify_x_to_y", "examples": EXAMPLES}
    assert default.rest("/v1/models/default:classify", document) == (200, {"results": [[["", 3.0]]]})


def test_regress_rest_gives_values(default: harness.Server) -> None:
    document = {"signature_name": "regress_x_to_y", "examples": EXAMPLES}
    assert default.rest("/v1/models/default:regress", document) == (200, {"results": [3.0]})


def test_predict_rest_answers_rows(default: harness.Server) -> None:
    document = {"instances": [2.0, 3.0, 4.0]}
    assert default.rest("/v1/models/default:predict", document) == (200, {"predictions": [3.0, 3.5, 4.0]})


def test_predict_columnar_rest_answers_columns(default: harness.Server) -> None:
    document = {"inputs": [2.0, 3.0, 4.0]}
    assert default.rest("/v1/models/default:predict", document) == (200, {"outputs": [3.0, 3.5, 4.0]})


def test_get_status_rest_lists_the_only_version(default: harness.Server) -> None:
    status = {"error_code": "OK", "error_message": ""}
    version = {"version": "123", "state": "AVAILABLE", "status": status}
    assert default.rest("/v1/models/default") == (200, {"model_version_status": [version]})


def tensor(name: str, dtype: str, *sizes: str) -> dict[str, Any]:
    dims = [{"size": size, "name": ""} for size in sizes]
    return {"name": name, "dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}}


def signature(kind: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "method_name": f"tensorflow/serving/{kind}"}


def test_get_model_metadata_rest_has_every_field_of_every_signature(default: harness.Server) -> None:
    def numbers(name: str) -> dict[str, Any]:
        return tensor(name, "DT_FLOAT", "-1", "1")

    examples = {"inputs": tensor("tf_example:0", "DT_STRING", "-1")}
    want = {
        "serving_default": signature("predict", {"x": numbers("x:0")}, {"y": numbers("y:0")}),
        "classify_x_to_y": signature("classify", examples, {"scores": numbers("y:0")}),
        "regress_x_to_y": signature("regress", examples, {"outputs": numbers("y:0")}),
        "regress_x_to_y2": signature("regress", examples, {"outputs": numbers("y2:0")}),
        "regress_x2_to_y3": signature("regress", {"inputs": numbers("x2:0")}, {"outputs": numbers("y3:0")}),
    }
    status, answer = default.rest("/v1/models/default/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "default", "signature_name": "", "version": "123"}
    found = answer["metadata"]["signature_def"]["signature_def"]
    for each in found.values():
        each.pop("defaults", None)  # a field that servers before 2.14 do not know
    assert {name: found[name] for name in want} == want
    # The builder of today adds an entry for the operation that runs at the load.
    assert set(found) - set(want) <= {"__saved_model_init_op"}
