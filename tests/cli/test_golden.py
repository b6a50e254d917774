"""`golden record` and `golden check` as a person calls them: TensorFlow, a pipeline, a served endpoint."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.local.modelserver import servers
from tests.support import exports
from tfserving_operator.core.smoke import cases

RECORDS = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [-1.0, 3.0]]


@pytest.fixture(scope="session")
def models() -> Path:
    return exports.cached("golden", Path(__file__).parents[1] / "golden" / "export.py")


def _run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfserving_operator", "golden", *arguments]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def recorded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which goldens of linear/1 were recorded."""
    folder = tmp_path_factory.mktemp("goldens")
    (folder / "records.json").write_text(json.dumps(RECORDS))
    arguments = ("--records", "records.json", "--saved-model", str(models / "linear" / "1"))
    files = ("--cases-file", "cases.json", "-o", "configmap.yaml")
    done = _run(
        "record", *arguments, "--name", "linear-goldens", "--namespace", "vision", *files, folder=folder
    )
    assert done.returncode == 0, done.stderr
    assert "4 of 4 records are cases now" in done.stderr
    return folder


def test_a_saved_models_goldens_are_a_config_map_that_the_operator_reads(recorded: Path) -> None:
    manifest = yaml.safe_load((recorded / "configmap.yaml").read_text())
    assert manifest["metadata"] == {
        "name": "linear-goldens",
        "labels": {"tfserving.dev/smoke-cases": "true"},
        "namespace": "vision",
    }
    assert manifest["data"]["cases.json"] == (recorded / "cases.json").read_text()
    found = cases.resolve((), [("cases", manifest["data"]["cases.json"])])
    assert [case.instances for case in found.cases] == [[row] for row in RECORDS]
    expect = found.cases[0].expect
    assert expect is not None
    assert expect.outputs == {"y": [[0.5, 1.0]]}
    assert expect.top_k is not None
    assert expect.top_k.output == "classes"
    assert found.provenance is not None
    assert found.provenance.signature_name == "serving_default"
    assert found.provenance.model_digest.startswith("sha256:")
    assert found.provenance.tensorflow_version
    assert found.provenance.inputs["x"].mean == (0.5, 1.5)


def test_the_vocabulary_of_a_model_is_a_part_of_its_provenance(models: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('["cat", "dog", "cow"]')
    saved_model = str(models / "words" / "1")
    done = _run("record", "--records", "r.json", "--saved-model", saved_model, "--name", "x", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = cases.resolve((), [("cases", yaml.safe_load(done.stdout)["data"]["cases.json"])])
    assert found.provenance is not None
    assert found.provenance.vocabularies == ("words.txt",)
    assert [case.expect.outputs for case in found.cases if case.expect] == [
        {"id": [0]},
        {"id": [1]},
        {"id": [2]},
    ]


def _check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("check", "--cases", "cases.json", *arguments, folder=folder)


def test_a_model_agrees_with_its_own_goldens(recorded: Path, models: Path) -> None:
    done = _check(recorded, "--saved-model", str(models / "linear" / "1"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 goldens agree" in done.stdout


def test_a_model_with_other_weights_differs_and_the_table_says_where(recorded: Path, models: Path) -> None:
    done = _check(recorded, "--saved-model", str(models / "linear" / "2"))
    assert done.returncode == 1
    assert "DIFFERS" in done.stdout
    assert "7 of 8" in done.stdout or "5 of 8" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("record-4"))
    assert "0.03" in row


PIPELINE = """
def predict(record):
    a, b = record
    return {"y": [a + 0.5 * b, -2 * a + b]}

def bare(record):
    return sum(record)

def broken(record):
    raise KeyError("age")
"""


@pytest.fixture(scope="module")
def pipeline(recorded: Path) -> Path:
    (recorded / "training.py").write_text(PIPELINE)
    return recorded


def test_a_training_pipeline_answers_raw_records(pipeline: Path) -> None:
    arguments = ("--records", "records.json", "--pipeline", "training:predict", "--name", "x")
    done = _run("record", *arguments, folder=pipeline)
    assert done.returncode == 0, done.stderr
    found = cases.resolve((), [("cases", yaml.safe_load(done.stdout)["data"]["cases.json"])])
    assert [c.expect.outputs["y"] for c in found.cases if c.expect] == [
        [[0.5, 1.0]],
        [[1.0, -2.0]],
        [[3.0, -2.0]],
        [[0.5, 5.0]],
    ]
    assert found.provenance is not None
    assert found.provenance.pipeline_digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--pipeline", "training:nothing"], 1, "training has no function nothing"),
        (["--pipeline", "nothing:predict"], 1, "No module named 'nothing'"),
        (["--pipeline", "training"], 1, "module:function"),
        (["--pipeline", "training:bare"], 1, "give --output"),
        (["--pipeline", "training:broken"], 1, "raised KeyError for record 1"),
        ([], 64, "give --saved-model, --pipeline"),
        (["--saved-model", "."], 1, "TensorFlow cannot load"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_what_to_do(
    pipeline: Path, arguments: list[str], code: int, said: str
) -> None:
    done = _run("record", "--records", "records.json", "--name", "x", *arguments, folder=pipeline)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("server")
    with servers.running(folder, "--model_name=linear", f"--model_base_path={models / 'linear'}") as server:
        yield server


def test_a_served_model_is_compared_over_its_predict_route(recorded: Path, served: servers.Server) -> None:
    """The server took the newest version, whose weights differ."""
    url = f"http://127.0.0.1:{served.port}"
    done = _check(recorded, "--url", url, "--model", "linear", "--version", "2")
    assert done.returncode == 1, done.stderr
    assert "DIFFERS" in done.stdout
    missing = _check(recorded, "--url", url, "--model", "linear", "--version", "9")
    assert missing.returncode == 2
    assert "Servable not found" in missing.stderr
    closed = _check(recorded, "--url", "http://127.0.0.1:9", "--model", "linear", "--version", "1")
    assert closed.returncode == 2
    assert "does not answer" in closed.stderr
    assert _check(recorded, "--url", url).returncode == 64
