"""Images in the node's containerd."""

import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from local import cache
from local.cluster import layout as layouts
from local.cluster import prerequisites


def import_archive(layout: layouts.Layout, archive: Path) -> bool:
    """Import a docker-archive, unless the node has that very image under that name.

    Returns
    -------
    bool
        Whether it was imported.
    """
    images = images_in(archive)
    present = image_names(layout)
    if all(name in present and _noted(layout, name) == digest for name, digest in images.items()):
        return False
    _ctr(layout, "images", "import", str(archive))
    layout.loaded.mkdir(exist_ok=True)
    for name, digest in images.items():
        _note(layout, name).write_text(digest)
    return True


def images_in(archive: Path) -> dict[str, str]:
    """Return the images of a docker-archive: name to the digest of its configuration."""
    with tarfile.open(archive) as file:
        manifest = file.extractfile("manifest.json")
        assert manifest is not None
        return {
            name: entry["Config"].removesuffix(".json")
            for entry in json.load(manifest)
            for name in entry["RepoTags"]
        }


def image_names(layout: layouts.Layout) -> Sequence[str]:
    """Return the names of the images that the node has."""
    return _ctr(layout, "images", "list", "--quiet").split()


def _note(layout: layouts.Layout, name: str) -> Path:
    return layout.loaded / cache.digest_of([name])


def _noted(layout: layouts.Layout, name: str) -> str:
    note = _note(layout, name)
    return note.read_text() if note.is_file() else ""


def _ctr(layout: layouts.Layout, *arguments: str) -> str:
    ctr = prerequisites.find("ctr") or "ctr"
    command = [ctr, "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        msg = f"{' '.join(command)}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return done.stdout
