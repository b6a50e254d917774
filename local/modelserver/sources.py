"""Which versions of a model its base path offers and its policy wants."""

import pathlib
import re
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
    present = {}
    for child in children:
        version = _version(child)
        if version is not None:
            present[version] = f"{model.base_path.rstrip('/')}/{child}"
    wanted = _wanted(model, present)
    if not wanted:
        logs.log(
            _WHERE,
            f"No versions of servable {model.name} found under base path {model.base_path}."
            " Did you forget to name your leaf directory as a number (eg. '/1/')?",
            severity=logs.Severity.WARNING,
        )
    return wanted


def log_unreadable(error: errors.ServingError) -> None:
    """Say that a base path cannot be read; it is read again at the next poll."""
    logs.log(
        _WHERE,
        f"FileSystemStoragePathSource encountered a filesystem access error: {error.message}",
        severity=logs.Severity.ERROR,
    )


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
