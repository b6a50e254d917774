"""What makes a revision: the user's own input of model, server, resources and template.

Only what the user wrote counts, without defaults, so that a later operator with other defaults starts nothing
anew. A name carries the letter of the algorithm that made it. An operator with a newer algorithm still computes
what the older ones would have named, and goes on with a revision that is there under such a name: a Deployment
cannot be renamed, and its pods have no reason to end.

A new algorithm goes to the end of `KNOWN` in one release and to its beginning in the next, so that the release
before can be gone back to. None is ever taken out.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tfserving_operator.api import types
from tfserving_operator.core import quantities

_HASH_LENGTH: Final = 8
_PARTS: Final = {"model", "server", "resources", "template"}
_SMOKE_PARTS: Final = {"cases", "cases_from", "checks"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithm:
    """A way to hash the input of a revision."""

    letter: str
    """Before the hash in names: `a` for the first algorithm, `b` for the next."""
    canonical: Callable[[types.Spec], object]
    """The JSON of which the hash is taken: the same for specs that ask for the same pods."""

    def hash_of(self, spec: types.Spec) -> str:
        """The letter and the hash of a spec's revision: short, lower-case, safe in names."""
        return f"{self.letter}{_digest(self.canonical(spec))[:_HASH_LENGTH]}"


def _digest(canonical: object) -> str:
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"v1\n{text}".encode()).hexdigest()


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


def _input(spec: types.Spec) -> object:
    canonical = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, include=_PARTS)
    for part in ("requests", "limits"):
        if part in canonical["resources"]:
            canonical["resources"][part] = {
                name: _worth(quantity) for name, quantity in canonical["resources"][part].items()
            }
    return _without_empty(canonical)


KNOWN: Final = (Algorithm(letter="a", canonical=_input),)
"""New revisions are named by the first; the others recognise what earlier releases have named."""


def name_of(owner_name: str, spec: types.Spec, *, there: Iterable[str] = ()) -> str:
    """The name of the spec's revision: `<name>-<letter><hash>`.

    Parameters
    ----------
    owner_name
        Of the ModelDeployment.
    spec
        What it asks for.
    there
        Names of revisions that are there, the most important first. One that a known algorithm would have given
        to the same input stays the name.
    """
    names = [f"{owner_name}-{algorithm.hash_of(spec)}" for algorithm in KNOWN]
    return next((name for name in there if name in names), names[0])


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
