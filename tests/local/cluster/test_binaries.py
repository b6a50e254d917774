"""Building programs from a go.mod: a tiny one of the test's own, with the real Go."""

import shutil
import subprocess
from pathlib import Path

import pytest

from local import progress as progresses
from local.cluster import binaries

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not shutil.which("go"), reason="needs Go"),
]
PROGRESS = progresses.Progress(name="test")
MAIN = 'package main\n\nvar version = "none"\n\nfunc main() { print(version) }\n'


@pytest.fixture
def toolset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> binaries.Toolset:
    compiled = subprocess.run(["go", "env", "GOCACHE"], check=True, capture_output=True, text=True).stdout
    monkeypatch.setenv("GOCACHE", compiled.strip())  # Go's own is below XDG_CACHE_HOME otherwise
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "module"
    for name, text in {
        "go.mod": (
            "module example.test/own\n\ngo 1.24\n\n"
            "tool example.test/dep/hello\n\n"
            "require example.test/dep v1.2.3\n\n"
            "replace example.test/dep => ./dep\n"
        ),
        "go.sum": "",
        "dep/go.mod": "module example.test/dep\n\ngo 1.24\n",
        "dep/hello/main.go": MAIN,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return binaries.Toolset(
        title="Hello",
        folder=folder,
        module="example.test/dep",
        version_variables=("main.version={version}",),
        renamed=(("hello", "greet"),),
    )


def test_programs_are_built_once_with_their_version_and_name(
    toolset: binaries.Toolset, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = binaries.ensure(toolset, PROGRESS)
    assert [path.name for path in folder.iterdir()] == ["greet"]
    assert subprocess.run([folder / "greet"], check=True, capture_output=True).stderr == b"v1.2.3"
    assert "building Hello v1.2.3" in capfd.readouterr().err

    assert binaries.ensure(toolset, PROGRESS) == folder
    assert capfd.readouterr().err == ""


def test_another_go_sum_is_another_build(toolset: binaries.Toolset) -> None:
    before = binaries.folder_of(toolset)
    (toolset.folder / "go.sum").write_text("# changed\n")
    assert binaries.folder_of(toolset) != before


def test_a_build_that_fails_shows_the_compilers_words_and_leaves_nothing(toolset: binaries.Toolset) -> None:
    (toolset.folder / "dep/hello/main.go").write_text(MAIN.replace("version)", "absent)"))
    with pytest.raises(RuntimeError, match="undefined: absent"):
        binaries.ensure(toolset, PROGRESS)
    assert not binaries.folder_of(toolset).exists()
