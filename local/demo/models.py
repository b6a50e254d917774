"""The demo's models: trained and exported once per machine, and what each version is known to answer."""

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

from local import cache
from local.progress import Progress

MODEL = "digits"
"""The folder with the numeric version folders, and the model's name."""

VERSIONS = (1, 2, 3, 4, 5, 6)
"""What ``export.py`` writes."""

Row = tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """The exported versions, and TensorFlow's own answers for held-out pictures."""

    folder: Path
    """Holds ``digits/1`` to ``digits/6``."""
    accuracy: dict[int, float]
    """Of each version on the held-out pictures, from 0 to 1."""
    trained: int
    held_out: int
    images: tuple[Row, ...]
    """Held-out pictures, 64 pixels from 0 to 16; sorted by digit."""
    labels: tuple[int, ...]
    answers: dict[int, tuple[Row, ...]]
    """By version: the probabilities for each of the pictures."""


def ensure(progress: Progress) -> Models:
    """Return the models, training and exporting them when this machine has not done so yet."""
    path = cache.root() / "demo" / _digest()
    if not path.exists():
        progress.say("training and exporting the digit classifiers (about 20 s, once per machine)")
    cache.entry(path, _export)
    return read(path)


def read(path: Path) -> Models:
    """Return what ``export.py`` wrote to a folder."""
    facts = json.loads((path / "facts.json").read_text())
    return Models(
        folder=path,
        accuracy={int(version): accuracy for version, accuracy in facts["accuracy"].items()},
        trained=facts["trained"],
        held_out=facts["heldOut"],
        images=tuple(tuple(row) for row in facts["images"]),
        labels=tuple(facts["labels"]),
        answers={int(v): tuple(tuple(row) for row in rows) for v, rows in facts["answers"].items()},
    )


def _digest() -> str:
    packages = ("tensorflow-cpu", "scikit-learn", "numpy")
    versions = (f"{name}=={importlib.metadata.version(name)}" for name in packages)
    return cache.digest_of([_script().read_bytes(), *versions])


def _script() -> Path:
    return Path(__file__).with_name("export.py")


def _export(target: Path) -> None:
    target.mkdir()
    command = [sys.executable, str(_script()), str(target)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"export of the demo's models failed:\n{done.stderr[-4000:]}")
