"""The stable Service of a ModelDeployment: promotion is a change of its selector."""

from collections.abc import Mapping
from typing import Any, Final

from tfserving_operator.api import constants, types
from tfserving_operator.core import observed, snapshot
from tfserving_operator.core.workloads import names

NO_REVISION: Final = "none"
"""Selected while no revision is active: no pod carries it."""

_PORTS: Final = (
    (constants.PORT_NAME_GRPC, constants.PORT_GRPC),
    (constants.PORT_NAME_REST, constants.PORT_REST),
)


def _selector(owner: snapshot.Owner, active_revision: str | None) -> dict[str, str]:
    return {constants.LABEL_NAME: owner.name, constants.LABEL_REVISION: active_revision or NO_REVISION}


def _annotations(spec: types.Spec, active_revision: str | None) -> dict[str, str]:
    annotations = dict(spec.service.annotations)
    if annotations:
        annotations[constants.ANNOTATION_USER_ANNOTATIONS] = ",".join(sorted(annotations))
    if active_revision is not None:
        annotations[constants.ANNOTATION_ACTIVE_REVISION] = active_revision
    return annotations


def _ports() -> list[dict[str, Any]]:
    # The protocol is always named: it is a merge key of server-side apply
    return [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in _PORTS]


def build_service(*, owner: snapshot.Owner, spec: types.Spec, active_revision: str | None) -> dict[str, Any]:
    """The Service `<name>`, which selects the pods of the active revision, or none."""
    meta = names.metadata(owner, owner.name)
    meta["annotations"] = _annotations(spec, active_revision)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "type": spec.service.type.value,
            "selector": _selector(owner, active_revision),
            "ports": _ports(),
        },
    }


def _changes(
    wanted: Mapping[str, str], live: Mapping[str, str], *, removed: frozenset[str]
) -> dict[str, str | None]:
    """What a merge patch must hold to make ``live`` the same as ``wanted``, and ``removed`` go."""
    changes: dict[str, str | None] = dict.fromkeys(sorted(removed & live.keys() - wanted.keys()))
    return {**changes, **{key: value for key, value in wanted.items() if live.get(key) != value}}


def service_patch(
    live: observed.Service, *, owner: snapshot.Owner, spec: types.Spec, active_revision: str | None
) -> dict[str, Any] | None:
    """The JSON merge patch that makes the live Service ours again, or None when it is.

    Annotations of others stay; those that the user wrote earlier and took out of the spec go.
    """
    annotations = dict(live.annotations)
    ours = annotations.get(constants.ANNOTATION_USER_ANNOTATIONS, "").split(",")
    annotation_changes = _changes(
        _annotations(spec, active_revision),
        annotations,
        removed=frozenset(
            {*ours, constants.ANNOTATION_USER_ANNOTATIONS, constants.ANNOTATION_ACTIVE_REVISION} - {""}
        ),
    )
    selector = dict(live.selector)
    changes: dict[str, Any] = {}
    if selector_changes := _changes(_selector(owner, active_revision), selector, removed=frozenset(selector)):
        changes["selector"] = selector_changes
    if live.ports != tuple(sorted((name, port, name, "TCP") for name, port in _PORTS)):
        changes["ports"] = _ports()
    if live.type != spec.service.type.value:
        changes["type"] = spec.service.type.value
    patch: dict[str, Any] = {"spec": changes} if changes else {}
    if annotation_changes:
        patch["metadata"] = {"annotations": annotation_changes}
    return patch or None
