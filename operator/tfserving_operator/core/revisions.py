"""What makes a revision: the user's own input of model, server, resources and template.

Only what the user wrote counts, without defaults, so that a later operator with other defaults starts nothing
anew. The algorithm's version goes into the hash: change `_ALGORITHM` when the canonical form changes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from tfserving_operator.api import types
from tfserving_operator.core import quantities

_ALGORITHM: Final = "v1"
_HASH_LENGTH: Final = 8
_PARTS: Final = {"model", "server", "resources", "template"}
_SMOKE_PARTS: Final = {"cases", "cases_from", "checks"}


def _digest(canonical: object) -> str:
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{_ALGORITHM}\n{text}".encode()).hexdigest()


def _without_empty(value: Any) -> Any:
    """The same without empty objects and lists: `template: {}` asks for nothing."""
    if isinstance(value, dict):
        kept = {key: _without_empty(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in ({}, [])}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value


def _worth(quantity: str) -> str:
    """The same for 1Gi and 1024Mi; what is no quantity stands as it is and is refused elsewhere."""
    return str(quantities.parse_quantity(quantity)) if quantities.is_quantity(quantity) else quantity


def hash_of(spec: types.Spec) -> str:
    """The hash of the spec's revision: short, lower-case, safe in names."""
    canonical = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, include=_PARTS)
    for part in ("requests", "limits"):
        if part in canonical["resources"]:
            canonical["resources"][part] = {
                name: _worth(quantity) for name, quantity in canonical["resources"][part].items()
            }
    return _digest(_without_empty(canonical))[:_HASH_LENGTH]


def name_of(owner_name: str, spec: types.Spec) -> str:
    """The name of the spec's revision: `<name>-<hash>`."""
    return f"{owner_name}-{hash_of(spec)}"


def spec_digest(spec: types.Spec) -> str:
    """The digest of all that the user asks for, but for the scale and the pause."""
    asked = spec.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude={"replicas": True, "rollout": {"paused"}}
    )
    return _digest(_without_empty(asked))[:16]


def smoke_digest(spec: types.Spec, cases_versions: Mapping[str, str]) -> str:
    """The digest of the smoke input: cases, where they come from, and checks, but no times.

    `cases_versions` are the resourceVersions of the labelled ConfigMaps named in `smoke.casesFrom`.
    """
    smoke = spec.smoke.model_dump(mode="json", by_alias=True, exclude_unset=True, include=_SMOKE_PARTS)
    return _digest({"smoke": smoke, "versions": dict(cases_versions)})[:16]
