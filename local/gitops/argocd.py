"""What Argo CD needs to know of ModelDeployments, in the two forms in which teams configure it."""

from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "gitops" / "argocd"
SCRIPTS: Final = EXAMPLES / "resource_customizations" / "tfserving.dev" / "ModelDeployment"
"""As Argo CD's own repository lays them out."""
ACTIONS: Final = ("retry", "pause", "resume")
_KIND: Final = "tfserving.dev_ModelDeployment"


class _Block(str):
    """A text that is written as a block."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes blocks, and indents lists as people do."""

    @override
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow=flow, indentless=False)


_Dumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def script(name: str) -> str:
    """Return a script, such as ``health.lua`` or ``actions/retry/action.lua``."""
    return (SCRIPTS / name).read_text()


def build_settings() -> dict[str, str]:
    """Return the entries of Argo CD's settings."""
    actions = {
        "discovery.lua": _Block(script("actions/discovery.lua")),
        "definitions": [
            {"name": name, "action.lua": _Block(script(f"actions/{name}/action.lua"))} for name in ACTIONS
        ],
    }
    return {
        f"resource.customizations.health.{_KIND}": _Block(script("health.lua")),
        f"resource.customizations.actions.{_KIND}": _Block(_dumped(actions)),
    }


def render_config_map() -> str:
    """Return a patch of the ConfigMap ``argocd-cm``, for ``kubectl patch`` and kustomize."""
    head = "# kubectl patch configmap argocd-cm -n argocd --patch-file argocd-cm.yaml, or a patch of your kustomization.\n"
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": build_settings()}
    return head + _dumped(made)


def render_values() -> str:
    """Return values of the chart ``argo-cd``."""
    head = "# helm upgrade argocd argo/argo-cd --reuse-values -f values.yaml\n"
    return head + _dumped({"configs": {"cm": build_settings()}})


def _dumped(made: Any) -> str:
    return str(yaml.dump(made, Dumper=_Dumper, sort_keys=False, width=1000))
