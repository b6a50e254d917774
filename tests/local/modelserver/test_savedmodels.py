"""SavedModels of TensorFlow 1 and 2: what is run when they are loaded, and which of their graphs is."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver import management, servers


@pytest.fixture(scope="module")
def server(loading_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("savedmodels")
    names = ("table_main_op", "table_legacy", "table_tf2", "examples", "reset", "tagged")
    flag = servers.config_file(folder, *(servers.model(name, loading_models / name) for name in names))
    with servers.running(folder, flag) as running:
        yield running


@pytest.mark.parametrize(
    ("model", "missing"), [("table_main_op", -1), ("table_legacy", -1), ("table_tf2", 3)]
)
def test_tables_are_filled_from_the_models_own_files_when_it_is_loaded(
    server: servers.Server, model: str, missing: int
) -> None:
    answer = server.predict(model, {"instances": ["blue", "red", "none"]})
    assert answer.json == {"predictions": [2, 0, missing]}


def test_a_file_that_is_missing_fails_the_load(loading_models: Path, tmp_path: Path) -> None:
    shutil.copytree(loading_models / "table_main_op", tmp_path / "base")
    (tmp_path / "base" / "1" / "assets" / "words.txt").unlink()
    flags = (f"--model_base_path={tmp_path / 'base'}", *management.ONCE)
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert "due to error: NOT_FOUND: " in server.output
        assert "assets/words.txt; No such file or directory" in server.output


def test_a_model_of_tensorflow_1_has_a_signature_for_each_call(server: servers.Server) -> None:
    metadata = server.get("/v1/models/examples/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert {name: each["method_name"] for name, each in metadata.items()} == {
        "serving_default": "tensorflow/serving/predict",
        "regress": "tensorflow/serving/regress",
        "classify": "tensorflow/serving/classify",
    }
    assert server.predict("examples", {"instances": [[3.0]]}).json == {"predictions": [[7.0]]}


def test_a_main_op_that_initialises_variables_undoes_what_was_restored(server: servers.Server) -> None:
    # Trained to 5, initialised to 0.
    assert server.predict("reset", {"instances": [2.0]}).json == {"predictions": [1.0]}


def test_the_graph_with_the_serve_tag_is_the_one_that_is_loaded(server: servers.Server) -> None:
    assert server.predict("tagged", {"instances": [1.0]}).json == {"predictions": [12.0]}


@pytest.mark.parametrize(
    ("tags", "want"), [("train", 11.0), ("serve,gpu", 13.0), ("gpu,serve", 13.0), ("", 12.0)]
)
def test_the_flag_chooses_among_graphs_by_all_of_their_tags(
    loading_models: Path, tmp_path: Path, tags: str, want: float
) -> None:
    flags = (f"--model_base_path={loading_models / 'tagged'}", f"--saved_model_tags={tags}")
    with servers.running(tmp_path, *flags) as server:
        assert server.predict("default", {"instances": [1.0]}).json == {"predictions": [want]}


def test_a_part_of_a_graphs_tags_does_not_name_it(loading_models: Path, tmp_path: Path) -> None:
    flags = (
        f"--model_base_path={loading_models / 'tagged'}",
        "--saved_model_tags=gpu",
        *management.ONCE,
    )
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert "NOT_FOUND: Could not find meta graph def matching supplied tags: { gpu }." in server.output
