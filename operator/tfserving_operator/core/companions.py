"""Objects that stand beside a model's Service: its disruption budget and its network policy.

Both are compared as a whole, so their projection is the spec itself, in one spelling.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfserving_operator.core import merging, observed


@dataclass(frozen=True, kw_only=True, slots=True)
class Companion:
    """A PodDisruptionBudget or a NetworkPolicy."""

    meta: observed.ObjectMeta
    spec: str
    """Canonical JSON."""


def companion_from_raw(raw: observed.Raw) -> Companion:
    """The projection of either kind."""
    return Companion(meta=observed.meta_from_raw(raw), spec=_canonical(raw.get("spec") or {}))


def spec_patch(live: Companion, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON merge patch that makes the live object as the manifest has it, or None when it is."""
    if live.spec == _canonical(wanted["spec"]):
        return None
    return {"spec": merging.build_merge_patch(json.loads(live.spec), _stored(wanted["spec"]))}


def _canonical(spec: Mapping[str, Any]) -> str:
    return json.dumps(_stored(spec), sort_keys=True, separators=(",", ":"))


def _stored(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as the API server gives it back: without lists that are empty."""
    return {key: value for key, value in spec.items() if value != []}
