"""The files that a model brings along: digests, sizes, first lines and a few words."""

import itertools
from collections.abc import Container
from typing import Final

from tfserving_operator.core.inspection import Asset
from tfserving_operator.inspector import folder, tables

_FOLDER: Final = "assets/"
_MAX_ASSETS: Final = 64
_HEAD_BYTES: Final = 64 * 1024
_FIRST_CHARACTERS: Final = 40


def read(
    files: list[folder.File], contents: folder.Contents, vocabularies: Container[str]
) -> dict[str, Asset]:
    """Describe the assets; those that lookup tables read come first."""
    found: dict[str, Asset] = {}
    listed = [file for file in files if file.name.startswith(_FOLDER)]
    listed.sort(key=lambda file: file.name.removeprefix(_FOLDER) not in vocabularies)
    for file in itertools.islice(listed, _MAX_ASSETS):
        name = file.name.removeprefix(_FOLDER)
        lines = _head(file)
        is_vocabulary = name in vocabularies
        found[name] = Asset(
            digest=contents.by_file[file.name],
            size=file.size,
            lines=contents.lines.get(file.name, 0),
            first=lines[0][:_FIRST_CHARACTERS] if lines else "",
            is_vocabulary=is_vocabulary,
            sample=tables.sample(lines[1:]) if is_vocabulary else (),
        )
    return found


def words(files: list[folder.File], name: str) -> tuple[str, ...]:
    """A few words out of an asset; () where there is none of this name."""
    file = next((file for file in files if name and file.name == _FOLDER + name), None)
    return tables.sample(_head(file)) if file else ()


def _head(file: folder.File) -> list[str]:
    with file.path.open("rb") as content:
        text = content.read(_HEAD_BYTES).decode("utf-8", "replace")
    lines = text.split("\n")
    # The last line may be cut off, or is what follows the last end of line
    return [line.removesuffix("\r") for line in lines[:-1]] or [text[:_FIRST_CHARACTERS]]
