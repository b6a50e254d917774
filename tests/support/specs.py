"""Specs for tests: the least that is valid, and changes to it."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tfserving_operator.api import types
from tfserving_operator.core import snapshot

EXAMPLES = Path(__file__).parents[2] / "examples"
OWNER = snapshot.Owner(
    name="resnet", namespace="vision", uid="6f6c2d0e-0a0b-4c7e-9d6b-0d5f0c1a2b3c", generation=3
)
POLICY = snapshot.Policy(inspect_image="tfserving-operator:0.1.0")


def load_example(name: str) -> dict[str, Any]:
    """An object of the examples folder."""
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return document


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with changes merged into it, however deep."""
    after = dict(base)
    for key, value in changes.items():
        before = after.get(key)
        after[key] = (
            merged(before, value) if isinstance(value, Mapping) and isinstance(before, dict) else value
        )
    return after


def make_raw(**changes: Any) -> dict[str, Any]:
    """The raw spec of the minimal example with changes merged into it."""
    return merged(copy.deepcopy(load_example("minimal")["spec"]), changes)


def make_spec(**changes: Any) -> types.Spec:
    """The spec of the minimal example with changes merged into it."""
    return types.parse_spec(make_raw(**changes))
