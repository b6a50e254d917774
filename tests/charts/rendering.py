"""The chart as the real helm renders it."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from local.cluster import api as clusters

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "charts" / "tfserving-operator"

Object = dict[str, Any]

EVERYTHING: dict[str, Any] = {
    "replicas": 3,
    "networkPolicies.enabled": True,
    "networkPolicies.models.namespaces": ["vision"],
    "metrics.serviceMonitor.enabled": True,
    "metrics.podMonitor.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.dashboard.enabled": True,
}
"""Values that switch everything on that is off by default."""


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm."""
    command = [str(clusters.ensure_helm()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@functools.cache
def text(*sets: str, values: str = "{}", only: str = "", crd: bool = False) -> str:
    """The manifests as text: with values by ``--set``, and as JSON."""
    flags = [part for each in sets for part in ("--set", each)]
    flags += [
        part
        for key, value in json.loads(values).items()
        for part in ("--set-json", f"{key}={json.dumps(value)}")
    ]
    flags += ["-s", only] if only else []
    flags += [] if crd or any(each.startswith("crds.") for each in sets) else ["--set", "crds.install=false"]
    answer = helm("template", "tfserving-operator", str(CHART), "-n", "system", *flags)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def canonical(values: dict[str, Any]) -> str:
    """Values as a text that can be a cache's key."""
    return json.dumps(values, sort_keys=True)


def render(*sets: str, only: str = "", crd: bool = False, **values: Any) -> list[Object]:
    """The objects; without the resource definition unless it is asked for."""
    rendered = text(*sets, values=canonical(values), only=only, crd=crd)
    return [document for document in yaml.safe_load_all(rendered) if document]


def of(documents: list[Object], kind: str) -> list[Object]:
    """Those of a kind."""
    return [document for document in documents if document["kind"] == kind]


def one(documents: list[Object], kind: str) -> Object:
    """The only one of a kind."""
    (found,) = of(documents, kind)
    return found


def refusal(*sets: str, **values: Any) -> str:
    """What helm says to values that it does not take."""
    flags = [part for each in sets for part in ("--set", each)]
    flags += [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
    answer = helm("template", "x", str(CHART), *flags)
    assert answer.returncode != 0, answer.stdout
    return answer.stderr


def pod_of(documents: list[Object]) -> Object:
    """The template of the operator's pods."""
    template: Object = one(documents, "Deployment")["spec"]["template"]
    return template
