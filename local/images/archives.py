"""Writes the format of ``docker save``: one layer, a configuration, a manifest."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Machine names as the kernel and as image configurations have them."""

CHUNK_BYTES = 1 << 20


def write(target: Path, *, layer: Path, name: str, config: dict[str, Any]) -> None:
    """Write an image of one layer.

    Parameters
    ----------
    target
        The archive to write.
    layer
        An uncompressed tar of the root file system.
    name
        The image's name with its tag.
    config
        What runs: ``Entrypoint``, ``Cmd``, ``Env`` and so on.
    """
    digest = _digest_of(layer)
    machine = platform.machine()
    configuration = _json(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "local.images"}],
        },
    )
    configuration_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    layer_name = f"{digest}.tar"
    manifest = _json([{"Config": configuration_name, "RepoTags": [name], "Layers": [layer_name]}])
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(layer, arcname=layer_name)
        for file_name, data in ((configuration_name, configuration), ("manifest.json", manifest)):
            info = tarfile.TarInfo(file_name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def _digest_of(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
