"""Which versions of a model its base path offers and its policy wants."""

import pathlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from local.modelserver import configs, errors, logs

_WHERE: Final = "sources/storage_path/file_system_storage_path_source.cc"
_VERSION: Final = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_INT64_LIMIT: Final = 1 << 63


def find_versions(model: configs.Model) -> dict[int, str]:
    """Return the wanted versions and their folders.

    Raises
    ------
    ServingError
        The base path cannot be read.
    """
    try:
        children = sorted(child.name for child in pathlib.Path(model.base_path).iterdir())
    except OSError as error:
        raise errors.not_found(
            f"Could not find base path {model.base_path} for servable {model.name} with error"
            f" NOT_FOUND: {model.base_path} not found"
        ) from error
    wanted = _wanted(model, _present(model, children))
    if not wanted:
        logs.log(
            _WHERE,
            f"No versions of servable {model.name} found under base path {model.base_path}."
            " Did you forget to name your leaf directory as a number (eg. '/1/')?",
            severity=logs.Severity.WARNING,
        )
    return wanted


class Source:
    """Looks at the base paths from time to time and says which versions are wanted.

    Nothing is said about any model while one of the base paths cannot be read: the original gives up a look at the
    first error.
    """

    def __init__(self, aspire: Callable[[str, Mapping[int, str]], None], poll_seconds: int) -> None:
        self._aspire = aspire
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._models: Sequence[configs.Model] = ()
        self._has_begun = False

    def start(self, models: Sequence[configs.Model]) -> None:
        """Begin to look: once if the interval is 0, never if it is below 0."""
        with self._lock:
            self._models = models
            begins, self._has_begun = not self._has_begun, True
        if begins and self._poll_seconds >= 0:
            threading.Thread(target=self._run, name="poll", daemon=True).start()

    def update(self, models: Sequence[configs.Model]) -> None:
        """Change what is looked at; versions of models that are gone are unwanted at once."""
        with self._lock:
            staying = {model.name for model in models}
            for name in sorted({model.name for model in self._models} - staying):
                self._aspire(name, {})
            self._models = models

    def _run(self) -> None:
        while True:
            begin = time.monotonic()
            with self._lock:
                self._poll()
            if self._poll_seconds == 0:
                return
            time.sleep(max(begin + self._poll_seconds - time.monotonic(), 0))

    def _poll(self) -> None:
        try:
            found = {model.name: find_versions(model) for model in self._models}
        except errors.ServingError as error:
            logs.log(
                _WHERE,
                f"FileSystemStoragePathSource encountered a filesystem access error: {error.message}",
                severity=logs.Severity.ERROR,
            )
            return
        for name in sorted(found):
            self._aspire(name, found[name])


def _present(model: configs.Model, children: Sequence[str]) -> dict[int, str]:
    present: dict[int, str] = {}
    names: dict[int, str] = {}
    for child in children:
        version = _version(child)
        if version is None:
            continue
        if version in names:
            logs.log(
                _WHERE,
                f"Duplicate version directories detected. Version {version} will be loaded from {child},"
                f" {names[version]} will be ignored.",
                severity=logs.Severity.WARNING,
            )
            if isinstance(model.policy, configs.All):
                continue  # Both are announced, and the first of them is taken; the warning is wrong in the original.
        names[version] = child
        present[version] = f"{model.base_path.rstrip('/')}/{child}"
    return present


def _version(name: str) -> int | None:
    if not _VERSION.fullmatch(name):
        return None
    number = int(name)
    return number if -_INT64_LIMIT <= number < _INT64_LIMIT else None


def _wanted(model: configs.Model, present: dict[int, str]) -> dict[int, str]:
    match model.policy:
        case configs.All():
            return present
        case configs.Latest(count=count):
            return {version: present[version] for version in sorted(present)[-count:]}
        case configs.Specific(versions=versions):
            for version in versions:
                if version not in present:
                    logs.log(
                        _WHERE,
                        f"Version {version} of servable {model.name}, which was requested to be served as a 'specific'"
                        " version in the servable's version policy, was not found in the file system",
                        severity=logs.Severity.WARNING,
                    )
            return {version: present[version] for version in versions if version in present}
