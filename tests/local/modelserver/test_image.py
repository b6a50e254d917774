"""What the image is made of: the entrypoint's contract, and the libraries without symbol tables."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.modelserver import protos, slim

PARTS = Path(slim.__file__).parent


def test_the_entrypoint_makes_flags_from_the_environment_and_adds_the_arguments(tmp_path: Path) -> None:
    stand_in = tmp_path / "tensorflow_model_server"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nps -o comm= -p "$PPID"\nexit 7\n')
    stand_in.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODEL_NAME": "m", "MODEL_BASE_PATH": "/a b"}
    command = [PARTS / "tf_serving_entrypoint.sh", "--port=9", "two words"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        *("--port=8500", "--rest_api_port=8501", "--model_name=m", "--model_base_path=/a b/m"),
        *("--port=9", "two words"),
        "tf_serving_entr",  # the shell is its parent: it was not replaced
    ]
    assert done.returncode == 7


def test_a_slimmed_library_is_smaller_and_loads(tmp_path: Path) -> None:
    source = protos.TENSORFLOW_FOLDER / "libtensorflow_framework.so.2"
    target = tmp_path / source.name
    shutil.copy(source, target)
    slim.slim(target)
    assert target.stat().st_size < 0.9 * source.stat().st_size
    program = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).TF_NewStatus"
    subprocess.run([sys.executable, "-c", program, target], check=True)


def test_what_is_no_library_is_not_cut(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(ValueError, match="not a 64-bit little-endian ELF file"):
        slim.slim(script)
    assert script.read_text() == "#!/bin/sh\n"


def test_the_images_packages_are_the_development_environments() -> None:
    pinned = dict(
        line.split(" ")[0].split("==")
        for line in (PARTS / "requirements.txt").read_text().splitlines()
        if "==" in line
    )
    assert pinned == {name: importlib.metadata.version(name) for name in pinned}


def test_whatever_the_server_imports_is_in_the_image() -> None:
    program = (
        "import importlib, pathlib, sys;"
        "[importlib.import_module(f'local.modelserver.{path.stem}')"
        " for path in pathlib.Path('local/modelserver').glob('[!_]*.py') if path.stem != 'slim'];"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=PARTS.parents[1], capture_output=True, text=True
    )
    owners = importlib.metadata.packages_distributions()
    imported = {owner for name in done.stdout.split() for owner in owners.get(name, ())}
    packaged = {
        line.split("==")[0] for line in (PARTS / "requirements.txt").read_text().splitlines() if "==" in line
    }
    normalized = {name.lower().replace("_", "-") for name in imported}
    assert {"grpcio", "numpy", "uvicorn"} <= normalized
    # Only this environment has a hook of setuptools that every start imports.
    assert normalized - packaged - {"tfserving-operator", "setuptools"} == set()


@pytest.mark.parametrize("module", ["server", "grpcserver", "restinference"])
def test_tensorflows_python_package_is_never_run(module: str) -> None:
    program = (
        f"import sys; import local.modelserver.{module};"
        "assert not hasattr(sys.modules['tensorflow'], '__version__');"
        "assert not any(name.startswith('tensorflow.python') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PARTS.parents[1])
