"""Builds models in a process of their own, because it imports TensorFlow; each is kept in the machine's cache.

``python -m tests.zoo.building SEED NAME...`` builds what is not there yet.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from local import cache
from tests.zoo import catalogue, entries

_HERE: Final = Path(__file__).parent
_SHARED: Final = (
    "entries",
    "workshop",
    "networks",
    "pipelines",
    "languages",
    "normalised",
    "tables",
    "documents",
    "families/common",
)
SPECIMEN: Final = "specimen.json"
ARCHIVE: Final = "cases.npz"
_LARGE_BYTES: Final = 16 * 2**20


def digest(entry: entries.Entry) -> str:
    """Of the sources that a model is made from."""
    family = catalogue.family_of(entry)
    own = ("backbones",) if entry.architecture == entries.FULL_SIZE else ()
    return cache.digest_of_paths([*(_HERE / f"{name}.py" for name in (*_SHARED, *own)), family])


def place(entry: entries.Entry, seed: int) -> Path:
    """Where a built model is kept."""
    return cache.root() / "zoo" / str(seed) / f"{entry.name}-{digest(entry)}"


def build_all(wanted: Sequence[entries.Entry], seed: int) -> None:
    """Build what is not there yet, in one process with TensorFlow."""
    missing = [entry.name for entry in wanted if not place(entry, seed).exists()]
    if not missing:
        return
    command = [sys.executable, "-m", "tests.zoo.building", str(seed), *missing]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        command, cwd=_HERE.parents[1], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the zoo's models were not built:\n{done.stdout[-9000:]}\n{done.stderr[-1000:]}")


def main(seed: int, names: Sequence[str]) -> int:
    """Build; every model that cannot be built is named, and the others are built all the same."""
    from tests.zoo import documents, workshop

    trained = workshop.Pipelines(seed)
    failed = 0
    for entry in catalogue.chosen(names):
        started = time.monotonic()

        def make(folder: Path, entry: entries.Entry = entry) -> None:
            shop = workshop.Shop(entry.name, folder, trained)
            specimen = entry.build(shop)
            document = documents.write(specimen, shop.version(), entry)
            (folder / SPECIMEN).write_text(json.dumps(document, default=_plain))
            if specimen.form is entries.Form.Archive:
                (folder / ARCHIVE).write_bytes(documents.archive(specimen))
            _share_variables(shop.version(), place(entry, seed).parent)

        try:
            cache.entry(place(entry, seed), make)
        except Exception:  # noqa: BLE001 - all that are broken are listed at once
            failed += 1
            print(f"{entry.name}: {traceback.format_exc(limit=-3)}")
        else:
            print(f"{entry.name}: {time.monotonic() - started:.2f} s", file=sys.stderr)
    return int(failed > 0)


def _share_variables(exported: Path, seed_folder: Path) -> None:
    """Hold large files once: models of one backbone differ in their graphs only."""
    for data in (exported / "variables").glob("variables.data-*"):
        if data.stat().st_size < _LARGE_BYTES:
            continue
        shared = seed_folder / f".variables-{cache.digest_of_paths([data])}"
        if shared.exists():
            data.unlink()
            data.hardlink_to(shared)
        else:
            shared.hardlink_to(data)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
