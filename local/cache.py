"""Things that are made once per machine: found by the hash of what they are made from.

Several checkouts share the cache, so whoever makes an entry holds its lock and publishes it by a rename.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def root() -> Path:
    """Return the project's cache folder (``$XDG_CACHE_HOME/tfserving-operator``)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tfserving-operator"


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; it is released when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest_of(parts: Iterable[str | bytes]) -> str:
    """Return a short hash of texts; their order and their limits count."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def digest_of_paths(paths: Iterable[Path]) -> str:
    """Return a short hash of files and whole folders: relative names, executable bits and contents."""
    return digest_of(part for path in paths for part in _parts_of(path))


def _parts_of(path: Path) -> Iterator[str | bytes]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        if "__pycache__" in file.parts or not (file.is_file() or file.is_symlink()):
            continue
        yield file.name if file == path else str(file.relative_to(path))
        if file.is_symlink():
            yield str(file.readlink())
        else:
            yield str(file.stat().st_mode & 0o100)
            yield file.read_bytes()


def entry(path: Path, make: Callable[[Path], None]) -> Path:
    """Return a cached file or folder, making it first when it is not there.

    Parameters
    ----------
    path
        Where the finished entry is; its name holds the hash of its recipe.
    make
        Writes the entry to the path that it is given (in the same folder, for the rename).
    """
    if path.exists():
        return path
    with lock(path.parent / f".{path.name}.lock"):
        if path.exists():
            return path
        for stale in path.parent.glob(f".{path.name}.tmp-*"):
            shutil.rmtree(stale)  # of a builder that was killed: we hold its lock
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.tmp-", dir=path.parent))
        try:
            make(work / path.name)
            (work / path.name).rename(path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return path
