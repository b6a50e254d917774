"""Programs that judge a ModelDeployment as GitOps tools do."""

import json
import os
import subprocess
from pathlib import Path

from local import progress as progresses
from local.cluster import binaries

FLUX = binaries.Toolset(
    title="Flux's kustomize-controller",
    folder=Path(__file__).parent / "flux",
    module="github.com/fluxcd/kustomize-controller",
    version_variables=(),
)
"""kustomize-controller, which applies what is in Git and waits for health."""

JUDGES = binaries.Toolset(
    title="kstatus and Argo CD's Lua",
    folder=Path(__file__).parent / "judges",
    module="github.com/yuin/gopher-lua",
    version_variables=(),
)
"""kstatus and argolua: what the libraries of Flux and Argo CD make of an object."""


def ensure_flux() -> Path:
    """Return the path of kustomize-controller, built first when it is not in the cache."""
    return binaries.ensure(FLUX, progresses.Progress(name="gitops")) / "kustomize-controller"


def ensure_judges() -> Path:
    """Return the folder of kstatus and argolua, built first when they are not in the cache."""
    return binaries.ensure(JUDGES, progresses.Progress(name="gitops"))


def flux_definitions() -> Path:
    """Return the folder of the CustomResourceDefinitions that lie in Flux's module; it is fetched when it is not there."""
    found = subprocess.run(
        ["go", "mod", "download", "-json", FLUX.module],
        cwd=FLUX.folder,
        env=os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(found.stdout)["Dir"]) / "config" / "crd" / "bases"
