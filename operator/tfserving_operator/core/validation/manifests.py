"""Whole objects as users write them, for the command line and admission: form first, then meaning."""

from collections.abc import Mapping
from typing import Any, Final

from tfserving_operator.api import constants, explain, reasons, types
from tfserving_operator.core import snapshot, validation
from tfserving_operator.core.validation.violations import Violation

API_VERSION: Final = f"{constants.GROUP}/{constants.VERSION}"
_RESOURCES: Final = "spec.resources"


def is_ours(raw: Any) -> bool:
    """Whether a manifest is a ModelDeployment, of whatever version."""
    return (
        isinstance(raw, Mapping)
        and raw.get("kind") == constants.KIND
        and str(raw.get("apiVersion", "")).startswith(f"{constants.GROUP}/")
    )


def validate(raw: Mapping[str, Any], policy: snapshot.Policy | None) -> tuple[Violation, ...]:
    """All that is wrong with a ModelDeployment; never raises.

    Parameters
    ----------
    raw
        The manifest; its status is not looked at.
    policy
        What the installation allows; None where that is not known.
    """
    if raw.get("apiVersion") != API_VERSION:
        return (_invalid("apiVersion", raw.get("apiVersion"), "is not served", f"write {API_VERSION}"),)
    metadata = raw.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    found = () if isinstance(name, str) and name else (_nameless(metadata),)
    unknown = tuple(
        _unknown(key) for key in raw if key not in ("apiVersion", "kind", "metadata", "spec", "status")
    )
    spec = raw.get("spec")
    if not isinstance(spec, Mapping):
        return (*found, *unknown, _invalid("spec", spec, "is required", "write model, server and resources"))
    try:
        parsed = types.parse_spec(spec)
    except explain.InvalidObjectError as error:
        return (*found, *unknown, *(_of_form(problem) for problem in error.problems))
    owner_name = name if isinstance(name, str) and name else "unnamed"
    return (*found, *unknown, *validation.validate(parsed, owner_name=owner_name, policy=policy))


def _nameless(metadata: Any) -> Violation:
    generated = isinstance(metadata, Mapping) and metadata.get("generateName")
    remedy = "write a name: Services and revisions are named after it" if generated else "write metadata.name"
    return _invalid("metadata.name", "", "is required", remedy)


def _unknown(key: str) -> Violation:
    return _invalid(key, key, "is not a field of a ModelDeployment", "write it below spec, or leave it out")


def _invalid(field: str, value: Any, problem: str, remedy: str) -> Violation:
    shown = "" if value is None else str(value)[: explain.MAX_VALUE]
    return Violation(
        field=field, value=shown, problem=problem, remedy=remedy, reason=reasons.Reason.InvalidSpec
    )


def _of_form(problem: explain.Problem) -> Violation:
    in_resources = problem.field.startswith(_RESOURCES)
    said = problem.sentence.removeprefix(problem.field).lstrip(": ")
    return Violation(
        field=problem.field,
        value=problem.value,
        problem=said,
        remedy="",
        reason=reasons.Reason.InvalidResources if in_resources else reasons.Reason.InvalidSpec,
    )
