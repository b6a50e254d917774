"""What is in an image's archive: its configuration, its layers, and the files that it adds to its base."""

import contextlib
import dataclasses
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """An image in a docker-archive."""

    archive: Path
    config: dict[str, Any]
    """What runs and how: `Entrypoint`, `Cmd`, `Env`, `User` and so on."""
    layers: tuple[str, ...]
    """Paths of the layers in the archive, the base's first."""
    diff_ids: tuple[str, ...]
    """The digest of each layer."""

    def above(self, base: "Contents") -> tuple[str, ...]:
        """Return the layers that the image has on top of another one."""
        count = len(base.diff_ids)
        if self.diff_ids[:count] != base.diff_ids:
            raise ValueError(f"{self.archive.name} is not made on {base.archive.name}")
        return self.layers[count:]

    def size(self, *layers: str) -> int:
        """Return the bytes of layers, uncompressed."""
        with tarfile.open(self.archive) as archive:
            return sum(archive.getmember(layer).size for layer in layers)

    def files(self, *layers: str) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        """Yield what layers hold, each with the archive to extract it from."""
        with contextlib.ExitStack() as stack:
            archive = stack.enter_context(tarfile.open(self.archive))
            for layer in layers:
                stream = archive.extractfile(layer)
                assert stream is not None
                opened = stack.enter_context(tarfile.open(fileobj=stream))
                for member in opened:
                    yield member, opened


def read(archive: Path) -> Contents:
    """Read the archive of one image."""
    with tarfile.open(archive) as opened:

        def load(name: str) -> Any:
            file = opened.extractfile(name)
            assert file is not None
            return json.load(file)

        (manifest,) = load("manifest.json")
        configuration = load(manifest["Config"])
    return Contents(
        archive=archive,
        config=configuration["config"],
        layers=tuple(manifest["Layers"]),
        diff_ids=tuple(configuration["rootfs"]["diff_ids"]),
    )
