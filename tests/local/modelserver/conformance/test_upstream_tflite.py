"""What the original's own tests say about TFLite models (``tensorflow_model_server_test.py``)."""

from pathlib import Path

import pytest

from tests.local.modelserver.conformance import harness
from tests.support import exports


@pytest.fixture(scope="module")
def lite() -> Path:
    return exports.cached("modelserver-conformance-tflite", Path(__file__).with_name("export_tflite.py"))


@pytest.mark.parametrize(
    "model",
    ["half_plus_two_tflite", "half_plus_two_tflite_with_sigdef"],
    ids=["names_of_tensors", "signature_def_in_the_metadata"],
)
def test_predict_on_tflite_answers(lite: Path, tmp_path: Path, model: str) -> None:
    flags = harness.base_path(lite / model)
    with harness.running(tmp_path, *flags, "--prefer_tflite_model=true") as server:
        harness.assert_predicts(server, 3.0)
