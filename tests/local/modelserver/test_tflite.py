"""TensorFlow Lite models, which a flag prefers to SavedModels."""

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest

from local.modelserver import dtypes, errors, tensors, tflite
from tests.local.modelserver import management, servers

PREFER = "--prefer_tflite_model"


@pytest.fixture(scope="module")
def server(loading_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("tflite")
    names = ("tflite", "tflite_named", "tflite_text", "examples")
    flag = servers.config_file(folder, *(servers.model(name, loading_models / name) for name in names))
    with servers.running(folder, flag, PREFER, "--num_tflite_pools=2") as running:
        yield running


def signature(server: servers.Server, model: str) -> dict:
    metadata = server.get(f"/v1/models/{model}/metadata").json["metadata"]
    return metadata["signature_def"]["signature_def"]["serving_default"]


def test_a_tflite_model_is_preferred_to_the_saved_model_beside_it(server: servers.Server) -> None:
    # The SavedModel has one output; the last of the TFLite model's two answers here.
    answer = server.predict("tflite", {"instances": [[1.0, 2.0]]})
    assert answer.json == {"predictions": [[3.0, 5.0]]}


def test_without_signatures_one_is_made_of_the_tensors_names(server: servers.Server) -> None:
    made = signature(server, "tflite")
    assert made["method_name"] == "tensorflow/serving/predict"
    assert list(made["inputs"]) == ["serving_default_x"]
    assert made["inputs"]["serving_default_x"]["name"] == "serving_default_x:0"
    assert [each["size"] for each in made["inputs"]["serving_default_x"]["tensor_shape"]["dim"]] == ["1", "2"]
    # Both outputs lose what tells them apart; the last one stays.
    assert {alias: each["name"] for alias, each in made["outputs"].items()} == {
        "PartitionedCall": "PartitionedCall:1"
    }
    assert "No signature def found in TFLite model. Generating one." in server.log


def test_signatures_in_the_models_metadata_are_used(server: servers.Server) -> None:
    answer = server.predict("tflite_named", {"inputs": {"points": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}})
    assert answer.json == {
        "outputs": {"line": [[3.0, 5.0], [7.0, 9.0], [11.0, 13.0]], "sum": [3.0, 7.0, 11.0]}
    }
    assert set(signature(server, "tflite_named")["outputs"]) == {"line", "sum"}


def test_texts_and_integers_go_through_a_tflite_model(server: servers.Server) -> None:
    for words, numbers in ((["a", "bcd", ""], [1, 0, 2, 1]), (["ü"], [0])):
        inputs = {"serving_default_words": words, "serving_default_numbers": numbers}
        answer = server.predict("tflite_text", {"inputs": inputs})
        assert answer.json == {"outputs": [words[number] for number in numbers]}


def test_a_model_without_a_tflite_file_is_served_from_its_saved_model(server: servers.Server) -> None:
    assert server.predict("examples", {"instances": [[3.0]]}).json == {"predictions": [[7.0]]}


def test_the_saved_model_answers_without_the_flag(loading_models: Path, tmp_path: Path) -> None:
    with servers.running(tmp_path, f"--model_base_path={loading_models / 'tflite'}") as server:
        assert server.predict("default", {"instances": [[3.0]]}).json == {"predictions": [[7.0]]}


def test_batches_of_all_sizes_are_answered_by_a_pool_of_interpreters(server: servers.Server) -> None:
    def ask(rows: int) -> bool:
        points = [[float(row), float(rows)] for row in range(rows)]
        want = {"predictions": [[2 * x + 1, 2 * y + 1] for x, y in points]}
        return server.predict("tflite", {"instances": points}).json == want

    with futures.ThreadPoolExecutor(8) as clients:
        assert all(clients.map(ask, [1, 2, 3, 5, 8] * 10))


def test_the_shape_of_a_tflite_signature_is_not_enforced(server: servers.Server) -> None:
    answer = server.predict("tflite", {"instances": [[1.0, 2.0, 3.0]]})
    assert answer.json == {"predictions": [[3.0, 5.0, 7.0]]}


def test_a_shape_that_a_tflite_model_cannot_have_is_an_internal_error(server: servers.Server) -> None:
    answer = server.predict("tflite", {"instances": [1.0]})
    assert (answer.status, answer.error) == (500, "Failed to allocate tensors")
    for _ in range(2):  # once for each interpreter of the pool
        assert server.predict("tflite", {"instances": [[1.0, 2.0]]}).json == {"predictions": [[3.0, 5.0]]}


def test_a_file_that_is_no_tflite_model_fails_the_load(loading_models: Path, tmp_path: Path) -> None:
    flags = (f"--model_base_path={loading_models / 'tflite_broken'}", PREFER, *management.ONCE)
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert "due to error: INVALID_ARGUMENT: Cannot build FlatBufferModel from buffer." in server.output


def test_a_tensor_that_a_tflite_model_does_not_have_is_named(loading_models: Path) -> None:
    model = tflite.load(str(loading_models / "tflite" / "1"), 1)
    x = tensors.Tensor(dtype=dtypes.DType.FLOAT, array=np.zeros((1, 2), np.float32))
    with pytest.raises(errors.ServingError, match="Missing output TFLite tensor: z: Unknown tensor 'z'"):
        model.run({"serving_default_x:0": x}, ["z"])
    with pytest.raises(errors.ServingError, match=r"Unknown tensor 'z'\.\n\tMissing input TFLite tensor: z"):
        model.run({"z": x}, ["PartitionedCall:0"])
    (total,) = model.run({"serving_default_x:0": x}, ["PartitionedCall:0"])
    assert total.array.tolist() == [0.0]
