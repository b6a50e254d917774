"""Programs built from pinned Go modules, once per machine and version."""

import dataclasses
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from local import cache
from local import progress as progresses

RECIPE = "1"
"""Part of the cache's key: change it when the way of building changes."""

REPORT_SECONDS = 10.0
"""How often a build says how far it is."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Toolset:
    """The programs of one ``go.mod``."""

    title: str
    folder: Path
    """Holds go.mod (with a ``tool`` block), go.sum, and the programs' own sources where they are ours."""
    module: str
    """Its version in go.mod is the version that the programs report."""
    version_variables: tuple[str, ...]
    """Templates of the linker's ``-X`` settings, with ``{version}``, ``{major}`` and ``{minor}``."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Programs that are called otherwise than their module calls them."""
    tags: tuple[str, ...] = ()
    """Build tags."""


KUBERNETES = Toolset(
    title="Kubernetes",
    folder=Path(__file__).parent,
    module="k8s.io/kubernetes",
    version_variables=tuple(
        f"{package}.{setting}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for setting in (
            "gitVersion={version}",
            "gitMajor={major}",
            "gitMinor={minor}",
            "gitCommit=throwaway",
            "gitTreeState=clean",
        )
    ),
    renamed=(("server", "etcd"),),
)
"""etcd, the control plane, kubelet, kube-proxy and kubectl."""

HELM = Toolset(
    title="Helm",
    folder=Path(__file__).parent / "helm",
    module="helm.sh/helm/v4",
    version_variables=("helm.sh/helm/v4/internal/version.version={version}",),
)
"""helm."""


def version_of(toolset: Toolset) -> str:
    """Return the version, such as ``v1.34.4``, that go.mod pins."""
    text = (toolset.folder / "go.mod").read_text()
    found = re.search(rf"^(?:require)?\s+{re.escape(toolset.module)} (v\S+)", text, re.MULTILINE)
    if not found:
        msg = f"{toolset.folder}/go.mod requires no {toolset.module}"
        raise ValueError(msg)
    return found.group(1)


def folder_of(toolset: Toolset) -> Path:
    """Return the folder where the built programs are, or will be."""
    pinned = [(toolset.folder / name).read_bytes() for name in ("go.mod", "go.sum")]
    sources = [path.read_bytes() for path in sorted(toolset.folder.rglob("*.go"))]
    settings = [RECIPE, platform.machine(), *toolset.version_variables, *toolset.tags]
    key = cache.digest_of([*settings, *pinned, *sources])
    return cache.root() / "cluster" / key / "bin"


def ensure(toolset: Toolset, progress: progresses.Progress) -> Path:
    """Return the folder of the built programs, building them first when they are not in the cache."""
    return cache.entry(folder_of(toolset), lambda target: _build(toolset, target, progress))


def linker_flags(toolset: Toolset) -> str:
    """Return the linker's flags, which tell the programs their version."""
    version = version_of(toolset)
    major, minor = version.removeprefix("v").split(".")[:2]
    settings = (each.format(version=version, major=major, minor=minor) for each in toolset.version_variables)
    return " ".join(["-s -w", *(f"-X {setting}" for setting in settings)])


def _build(toolset: Toolset, target: Path, progress: progresses.Progress) -> None:
    progress.say(f"building {toolset.title} {version_of(toolset)} from Go modules (first time: minutes)")
    flags = ["-trimpath", "-v", f"-ldflags={linker_flags(toolset)}", f"-tags={','.join(toolset.tags)}"]
    command = ["go", "install", *flags, "tool"]
    environment = os.environ | {"GOBIN": str(target), "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    reported, lines, compiled, downloaded = time.monotonic(), list[str](), 0, 0
    with subprocess.Popen(
        command, cwd=toolset.folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            downloaded += line.startswith("go: downloading")
            compiled += not line.startswith("go: ")
            if time.monotonic() - reported > REPORT_SECONDS:
                progress.say(f"  {toolset.title}: {downloaded} modules loaded, {compiled} packages compiled")
                reported = time.monotonic()
    if process.returncode != 0:
        msg = f"go install failed in {toolset.folder}:\n{''.join(lines[-20:])}"
        raise RuntimeError(msg)
    for old, new in toolset.renamed:
        (target / old).rename(target / new)
    progress.say(f"{toolset.title} is built ({compiled} packages compiled)")
