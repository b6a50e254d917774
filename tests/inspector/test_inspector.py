import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local import cache
from tfserving_operator import inspector
from tfserving_operator.core import inspection
from tfserving_operator.inspector import bundle, command, savedmodel, wire

EXPORT = Path(__file__).with_name("export.py")
FLOAT, INT64, STRING = "DT_FLOAT", "DT_INT64", "DT_STRING"
Inspect = Callable[..., tuple[int, inspection.Inspection]]


@pytest.fixture(scope="session")
def exported() -> Path:
    """The folder of the SavedModels, exported by TensorFlow once per machine."""
    return cache.entry(cache.root() / "tests" / f"inspector-{cache.digest_of_paths([EXPORT])}", export)


def export(target: Path) -> None:
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, EXPORT, target], env=quiet, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture
def models(exported: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(exported, tmp_path / "models")


@pytest.fixture
def inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Run the command and read its termination message."""
    log = tmp_path / "termination-log"
    monkeypatch.setenv(command.TERMINATION_LOG_VARIABLE, str(log))

    def run(model_dir: Path, version: int, expected: Path | None = None) -> tuple[int, inspection.Inspection]:
        code = inspector.main(model_dir, version, expected)
        assert log.stat().st_size <= inspection.MESSAGE_BYTES
        found = inspection.parse_termination_message(log.read_text())
        assert found is not None
        return code, found

    return run


def tensor(dtype: str, *shape: int) -> inspection.Tensor:
    return inspection.Tensor(dtype=dtype, shape=shape)


def test_a_savedmodel_is_read(models: Path, inspect: Inspect):
    code, found = inspect(models / "scorer", 1)

    assert (code, found.reason, found.message, found.findings) == (0, "", "", ())
    assert found.signatures == {
        "serving_default": inspection.Signature(
            method="tensorflow/serving/predict",
            inputs={"x": tensor(FLOAT, -1, 1000), "n": tensor(INT64)},
            outputs={"scores": tensor(FLOAT, -1, 3), "count": tensor(INT64)},
        ),
        "length": inspection.Signature(
            method="tensorflow/serving/predict",
            inputs={"text": inspection.Tensor(dtype=STRING, shape=None)},
            outputs={"length": inspection.Tensor(dtype="DT_INT32", shape=None)},
        ),
    }
    files = [path for path in (models / "scorer" / "1").rglob("*") if path.is_file()]
    assert (found.files, found.disk_bytes) == (len(files), sum(path.stat().st_size for path in files))
    assert 12_000 <= found.variable_bytes < found.disk_bytes
    assert (found.ops["MatMul"], found.ops["StringLength"], found.ops["RestoreV2"]) == (1, 1, 1)


def test_the_digest_is_of_names_and_contents_and_nothing_else(models: Path, inspect: Inspect, tmp_path: Path):
    _, found = inspect(models / "scorer", 1)
    copy = shutil.copytree(models / "scorer" / "1", tmp_path / "other" / "1", copy_function=shutil.copyfile)

    assert inspect(tmp_path / "other", 1)[1].digest == found.digest
    (copy / "saved_model.pb").rename(copy / "x")
    (copy / "fingerprint.pb").rename(copy / "saved_model.pb")
    (copy / "x").rename(copy / "fingerprint.pb")
    assert inspect(tmp_path / "other", 1)[1].digest != found.digest


def test_leading_zeros_of_a_version_folder_are_taken_as_by_the_server(models: Path, inspect: Inspect):
    (models / "digits" / "7").rename(models / "digits" / "0007")

    assert inspect(models / "digits", 7)[0] == inspection.ExitCode.Ok


def test_a_model_that_is_what_passed_is_let_through(models: Path, inspect: Inspect, tmp_path: Path):
    _, found = inspect(models / "scorer", 1)
    expected = tmp_path / "digest"

    for content in ("", f"{found.digest}\n"):
        expected.write_text(content)
        assert inspect(models / "scorer", 1, expected)[0] == inspection.ExitCode.Ok
    assert inspect(models / "scorer", 1, tmp_path / "absent")[0] == inspection.ExitCode.Ok


def test_a_model_that_was_changed_after_it_passed_is_stopped(models: Path, inspect: Inspect, tmp_path: Path):
    _, found = inspect(models / "scorer", 1)
    expected = tmp_path / "digest"
    expected.write_text(found.digest)
    (models / "scorer" / "1" / "assets" / "labels.txt").write_text("cat")

    code, changed = inspect(models / "scorer", 1, expected)

    assert (code, changed.reason) == (inspection.ExitCode.ModelChanged, "ModelChanged")
    assert found.digest[:19] in changed.message
    assert changed.digest != found.digest


@pytest.mark.parametrize(
    ("model", "version", "reason", "message"),
    [
        ("nowhere", 1, "ModelNotFound", "beside it there is digits, frozen, kerasfile, scorer, unsigned"),
        (
            "digits",
            8,
            "ModelNotFound",
            "has no folder 8: its versions are 7. Set spec.model.version to one of them",
        ),
        ("digits/7", 7, "ModelNotFound", "holds a SavedModel itself, and no folder 7"),
        (".", 1, "ModelNotFound", "no version folder at all: it holds digits, frozen"),
        (
            "kerasfile",
            1,
            "ModelInvalid",
            "it holds model.keras, a Keras model file; export it with model.export(folder)",
        ),
        ("frozen", 1, "ModelInvalid", "it holds graph.pb, a frozen graph"),
    ],
)
def test_what_lies_in_a_version_folder_is_named_with_its_remedy(
    models, inspect, model, version, reason, message
):
    code, found = inspect(models / model, version)

    assert (int(code), found.reason) == (int(inspection.EXIT_CODES[reason]), reason)
    assert message in found.message


GIVEN: list[tuple[list[str], str]] = [
    (["model.h5"], "it holds model.h5, a Keras model file; load it and export it"),
    (["config.json", "model.weights.h5"], "it holds model.weights.h5, weights without a model"),
    (["model.tflite"], "a TensorFlow Lite model; export a SavedModel instead"),
    (["checkpoint", "ckpt-3.data-00000-of-00001", "ckpt-3.index"], "it holds ckpt-3.index, a checkpoint"),
    (["model.onnx"], "it holds model.onnx, an ONNX model"),
    (["model.tar.gz"], "an archive; unpack it here"),
    (["variables/variables.index", "fingerprint.pb"], "saved_model.pb is missing beside fingerprint.pb"),
    (["export/saved_model.pb"], "too deep: move what export holds into the version's folder"),
    (["readme.txt"], "it holds readme.txt"),
    ([], "it holds nothing"),
]


@pytest.mark.parametrize(
    ("folder", "files", "message"),
    [("1", *given) for given in GIVEN] + [(".", *given) for given in GIVEN if "/" not in "".join(given[0])],
)
def test_what_was_given_instead_of_a_savedmodel_is_named(tmp_path, inspect, folder, files, message):
    (tmp_path / "m" / folder).mkdir(parents=True, exist_ok=True)
    for name in files:
        path = tmp_path / "m" / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")

    code, found = inspect(tmp_path / "m", 1)

    assert (int(code), found.reason) == ((72, "ModelInvalid") if folder == "1" else (71, "ModelNotFound"))
    assert message in found.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "cannot be read as a SavedModel"),
        (b"\x08\x01", "holds no graph"),
        (b"\x12\xff\xff\xff\x7f", "the file is cut off"),
    ],
)
def test_a_broken_protobuf_is_no_savedmodel(models, inspect, content, message):
    (models / "scorer" / "1" / "saved_model.pb").write_bytes(content)

    code, found = inspect(models / "scorer", 1)

    assert (code, found.reason) == (inspection.ExitCode.ModelInvalid, "ModelInvalid")
    assert message in found.message


def test_a_protobuf_that_was_cut_off_is_no_savedmodel(models: Path, inspect: Inspect):
    path = models / "scorer" / "1" / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-1000])

    assert inspect(models / "scorer", 1)[1].reason == "ModelInvalid"


def test_missing_variable_files_are_findings(models: Path, inspect: Inspect):
    folder = models / "scorer" / "1" / "variables"
    (folder / "variables.index").unlink()
    code, found = inspect(models / "scorer", 1)
    assert code == inspection.ExitCode.Ok
    assert "variables/variables.index is missing" in found.findings[0]

    (folder / "variables.data-00000-of-00001").rename(folder / "variables.data-00000-of-00003")
    (folder / "variables.index").write_bytes(b"x")
    assert (
        "2 of 3 files variables/variables.data-* are missing" in inspect(models / "scorer", 1)[1].findings[0]
    )

    shutil.rmtree(folder)
    assert "variables/variables.index is missing" in inspect(models / "scorer", 1)[1].findings[0]


@pytest.mark.parametrize("missing", [1, 5000])
def test_truncated_variables_are_a_finding(models: Path, inspect: Inspect, missing: int):
    path = models / "scorer" / "1" / "variables" / "variables.data-00000-of-00001"
    os.truncate(path, path.stat().st_size - missing)

    code, found = inspect(models / "scorer", 1)

    assert code == inspection.ExitCode.Ok
    (finding,) = found.findings
    assert finding.startswith("variables/variables.data-00000-of-00001 is cut off: it has ")


def test_an_index_that_is_no_table_is_a_finding(models: Path, inspect: Inspect):
    (models / "scorer" / "1" / "variables" / "variables.index").write_bytes(b"x" * 100)

    assert inspect(models / "scorer", 1)[1].findings == (
        "variables/variables.index cannot be read: it is no TensorFlow checkpoint, or cut off",
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_indexes_do_no_more_than_be_refused(exported, data):
    content = bytearray((exported / "scorer" / "1" / "variables" / "variables.index").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.MalformedError):
        bundle.shard_sizes(bytes(content))


def test_a_model_without_signatures_is_a_finding(models: Path, inspect: Inspect):
    code, found = inspect(models / "unsigned", 1)

    assert code == inspection.ExitCode.Ok
    assert found.findings == ("the model has no signature to predict with",)


def test_links_are_followed_and_loops_are_not(models: Path, inspect: Inspect):
    linked = models / "linked" / "1"
    linked.mkdir(parents=True)
    for path in (models / "scorer" / "1").iterdir():
        (linked / path.name).symlink_to(path)
    assert inspect(models / "linked", 1)[1].digest == inspect(models / "scorer", 1)[1].digest

    (linked / "again").symlink_to(linked)
    code, found = inspect(models / "linked", 1)
    assert (code, found.reason) == (inspection.ExitCode.ModelInvalid, "ModelInvalid")
    assert "links back to itself" in found.message


def test_what_the_inspector_cannot_do_is_its_own_failure(models: Path, inspect: Inspect):
    (models / "scorer" / "1" / "unreadable").symlink_to("/proc/self/mem")

    code, found = inspect(models / "scorer", 1)

    assert (code, found.reason) == (inspection.ExitCode.InternalError, "InspectionFailed")
    assert "OSError" in found.message


# Hostile bytes


def length(number: int, content: bytes) -> bytes:
    size = b""
    left = len(content)
    while left >= 0x80:
        size += bytes([left & 0x7F | 0x80])
        left >>= 7
    return bytes([number << 3 | 2]) + size + bytes([left]) + content


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content):
    with contextlib.suppress(wire.MalformedError):
        savedmodel.parse(content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_savedmodels_do_no_more_than_be_refused(exported, data):
    content = bytearray((exported / "digits" / "7" / "saved_model.pb").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.MalformedError):
        savedmodel.parse(bytes(content), max_fields=20_000)


def test_more_nodes_than_are_read_are_a_bounded_cost():
    nodes = length(1, b"") * 100_000
    saved_model = length(2, length(1, length(4, b"serve")) + length(2, nodes))

    graph = savedmodel.parse(saved_model, max_fields=10_000)

    assert graph is not None
    assert (graph.tags, graph.complete, sum(graph.ops.values()) <= 10_000) == (("serve",), False, True)


def test_nested_messages_are_not_descended_into():
    nested = b""
    for _ in range(2000):
        nested = length(2, nested)

    assert savedmodel.parse(nested) is not None


def test_half_a_gigabyte_of_constants_costs_no_memory(models: Path, inspect: Inspect):
    """The container has 256 MiB. The file is sparse; only the digest reads all of it."""
    path = models / "scorer" / "1" / "saved_model.pb"
    with path.open("ab") as file:
        file.write(bytes([15 << 3 | 2]) + b"\x80\x80\x80\x80\x02")  # an unknown field of half a GiB
        file.truncate(file.tell() + (1 << 29))
    program = (
        "import resource, sys; from pathlib import Path; from tfserving_operator import inspector\n"
        f"code = inspector.main(Path({str(models / 'scorer')!r}), 1, None)\n"
        "anonymous = [l for l in open('/proc/self/status') if l.startswith('RssAnon')][0].split()[1]\n"
        "sys.exit(code or (int(anonymous) > 60_000))"
    )
    limits = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60))}
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False, **limits
    )

    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-2000:])


def test_the_inspector_loads_neither_the_operator_nor_numpy():
    program = (
        "import sys; from tfserving_operator import inspector; "
        "print(sorted({'numpy', 'kopf', 'aiohttp', 'pydantic', 'google.protobuf', 'tensorflow'} & sys.modules.keys()))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
