"""The files of a model's version folder: which one it is, what it holds, and its digest."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tfserving_operator.inspector import bundle, foreign, wire

_CHUNK_BYTES: Final = 1024 * 1024
MAX_FILES: Final = 20_000
_MAX_DEPTH: Final = 16
_SHOWN: Final = 10
_VARIABLES: Final = "variables/"
_ASSETS: Final = "assets/"
_SHARD: Final = re.compile(r"variables/variables\.data-(\d{5})-of-(\d{5})")


class TooManyFilesError(Exception):
    """There are more files, or deeper folders, than a SavedModel has."""


class NotFoundError(Exception):
    """The model or its version is not there; the message says what is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file below the version folder."""

    path: Path
    name: str
    """Relative to the version folder, with slashes."""
    size: int


def find_version(model_dir: Path, version: int) -> Path:
    """Find the version's folder; TensorFlow Serving takes leading zeros in its name.

    Raises
    ------
    NotFoundError
        When it is not there.
    """
    if not model_dir.is_dir():
        beside = _names(model_dir.parent)
        hint = (
            f"beside it there is {foreign.listed(beside)}"
            if beside
            else f"{model_dir.parent} is empty or not there either"
        )
        raise NotFoundError(
            f"{model_dir} is not there: {hint}. Correct spec.model.uri, or copy the model there"
        )
    numeric = sorted(
        (int(name), name)
        for name in _names(model_dir)
        if re.fullmatch(r"[0-9]{1,19}", name) and (model_dir / name).is_dir()
    )
    for number, name in numeric:
        if number == version:
            return model_dir / name
    if numeric:
        found = foreign.listed([str(number) for number, _ in numeric[-_SHOWN:]])
        raise NotFoundError(
            f"{model_dir} has no folder {version}: its versions are {found}. Set spec.model.version to one of them,"
            f" or copy version {version} there"
        )
    if any((model_dir / name).is_file() for name in foreign.SAVED_MODEL_FILES):
        raise NotFoundError(
            f"{model_dir} holds a SavedModel itself, and no folder {version}: move its files into {model_dir}/{version},"
            " or let spec.model.uri end in the folder above, if this one is named after a version"
        )
    raise NotFoundError(
        f"{model_dir} has no folder {version}, and no version folder at all: {foreign.told(_names(model_dir))}."
        f" A SavedModel is served from {model_dir}/{version}"
    )


def list_files(folder: Path) -> list[File]:
    """List all regular files below a folder, links followed, in the order of their names.

    Raises
    ------
    TooManyFilesError
        When it is no folder of a SavedModel's.
    """
    files: list[File] = []
    for file in _walk(folder, "", 0, frozenset()):
        files.append(file)
        if len(files) > MAX_FILES:
            raise TooManyFilesError(f"{folder} holds more than {MAX_FILES} files")
    return sorted(files, key=lambda file: os.fsencode(file.name))


def _walk(folder: Path, prefix: str, depth: int, above: frozenset[tuple[int, int]]) -> Iterator[File]:
    at = folder.stat()
    if depth > _MAX_DEPTH or (at.st_dev, at.st_ino) in above:
        raise TooManyFilesError(f"{folder} is nested too deeply, or links back to itself")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue  # a dangling link: nothing that could be read
            if stat.S_ISDIR(found.st_mode):
                yield from _walk(Path(entry.path), f"{name}/", depth + 1, above | {(at.st_dev, at.st_ino)})
            elif stat.S_ISREG(found.st_mode):
                yield File(path=Path(entry.path), name=name, size=found.st_size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What reading every file once tells."""

    digest: str
    """`sha256:<hex>` over names, sizes and contents of all files."""
    weights_digest: str
    """The same over those of `variables/`; "" without any."""
    by_file: dict[str, str]
    lines: dict[str, int]
    """Of assets: how many lines there are."""


def read_contents(files: list[File]) -> Contents:
    """Read all files, a megabyte at a time: each is digested once, and the digests are."""
    chunk = bytearray(_CHUNK_BYTES)
    view = memoryview(chunk)
    by_file: dict[str, str] = {}
    lines: dict[str, int] = {}
    total, weights = hashlib.sha256(), hashlib.sha256()
    for file in files:
        one = hashlib.sha256()
        is_asset = file.name.startswith(_ASSETS)
        ends, last = 0, 0
        with file.path.open("rb", buffering=0) as content:
            while count := content.readinto(chunk):
                one.update(view[:count])
                if is_asset:
                    ends += chunk.count(b"\n", 0, count)
                    last = chunk[count - 1]
        entry = os.fsencode(file.name) + b"\0" + str(file.size).encode() + b"\0" + one.digest()
        total.update(entry)
        if file.name.startswith(_VARIABLES):
            weights.update(entry)
        by_file[file.name] = f"sha256:{one.hexdigest()}"
        if is_asset:
            lines[file.name] = ends + (last not in (0, ord("\n")))
    has_weights = any(name.startswith(_VARIABLES) for name in by_file)
    return Contents(
        digest=f"sha256:{total.hexdigest()}",
        weights_digest=f"sha256:{weights.hexdigest()}" if has_weights else "",
        by_file=by_file,
        lines=lines,
    )


def variable_findings(files: list[File], *, has_variables: bool) -> list[str]:
    """Say what is missing of the variables' files."""
    names = {file.name: file.size for file in files if file.name.startswith("variables/")}
    shards = [match for name in names if (match := _SHARD.fullmatch(name))]
    findings = []
    if "variables/variables.index" not in names and (shards or has_variables):
        findings.append(
            "variables/variables.index is missing: TensorFlow Serving loads such a model without its weights,"
            " and every prediction fails. The copy is incomplete"
        )
    elif "variables/variables.index" in names and not shards:
        findings.append("variables/variables.data-* is missing: the copy is incomplete")
    if shards:
        wanted = int(shards[0].group(2))
        missing = wanted - len({match.group(1) for match in shards if int(match.group(2)) == wanted})
        if missing > 0:
            findings.append(
                f"{missing} of {wanted} files variables/variables.data-* are missing: the copy is incomplete"
            )
    findings.extend(_truncated(files, names))
    findings.extend(
        f"{name} is empty: the copy is incomplete" for name, size in sorted(names.items()) if not size
    )
    return findings


def _truncated(files: list[File], sizes: dict[str, int]) -> list[str]:
    index = next((file for file in files if file.name == "variables/variables.index"), None)
    if index is None or not 0 < index.size <= bundle.MAX_BYTES:
        return []
    try:
        wanted = bundle.shard_sizes(index.path.read_bytes())
    except (wire.MalformedError, wire.BudgetError):
        return [f"{index.name} cannot be read: it is no TensorFlow checkpoint, or cut off"]
    findings = []
    for name, size in sorted(sizes.items()):
        shard = _SHARD.fullmatch(name)
        least = wanted.get(int(shard.group(1)), 0) if shard else 0
        if 0 < size < least:
            findings.append(f"{name} is cut off: it has {size} bytes of {least}; the copy is incomplete")
    return findings


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
