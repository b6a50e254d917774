"""Another release of the operator to upgrade from: the last tagged one, else this one under another version.

The first release has none before it, so it is compared with itself. From the next on, the tags of the checkout say
what came before.
"""

import dataclasses
import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import tfserving_operator
from local.demo import installation
from local.images import builds

PARTS = ("Dockerfile", "charts", "operator", "pyproject.toml", "requirements")
"""What the image and the chart are made from."""

EARLIER = "0.0.9"
"""The version that this release is built under where there is no earlier one."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A chart and the image that goes with it."""

    version: str
    chart: Path
    build: builds.Build


def previous(folder: Path) -> Release:
    """The release before this one, with its files in a folder."""
    version = _last_tagged() or EARLIER
    if version == EARLIER:
        _copy(folder)
        _call(folder, version)
    else:
        _extract(folder, f"v{version}")
    hashed = tuple(folder / name for name in ("operator", "requirements/operator.txt"))
    build = builds.Build(
        dockerfile=folder / "Dockerfile",
        context=folder,
        name="localhost/tfserving-operator-previous",
        hashed=hashed,
    )
    name = f"{build.name}:{builds.key_of(build)}"
    return Release(
        version=version, chart=folder / installation.CHART, build=dataclasses.replace(build, name=name)
    )


def _last_tagged() -> str:
    listed = subprocess.run(
        ["git", "tag", "--list", "v*", "--sort=-version:refname"],
        cwd=installation.checkout(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    others = [tag for tag in listed if tag != f"v{tfserving_operator.__version__}" and "-" not in tag]
    return others[0].removeprefix("v") if others else ""


def _extract(folder: Path, tag: str) -> None:
    packed = subprocess.run(
        ["git", "archive", tag, *PARTS], cwd=installation.checkout(), capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def _copy(folder: Path) -> None:
    for part in PARTS:
        source, target = installation.checkout() / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def _call(folder: Path, version: str) -> None:
    """Have a copy of this release say that it is another."""
    for path, pattern in (
        (folder / "operator" / "tfserving_operator" / "__init__.py", r'(?m)^(__version__ = )".*"$'),
        (folder / installation.CHART / "Chart.yaml", r"(?m)^((?:appV|v)ersion: ).*$"),
    ):
        text, count = re.subn(pattern, rf'\g<1>"{version}"', path.read_text())
        assert count, path
        path.write_text(text)
