"""Kubernetes Events about a ModelDeployment."""

import secrets
from datetime import datetime
from typing import Any, Final

from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import actions, snapshot

CONTROLLER: Final = f"{constants.GROUP}/operator"
NOTE_CHARACTERS: Final = 1024
"""The API refuses longer notes."""


def build_event(
    owner: snapshot.Owner, event: actions.Event, *, now: datetime, instance: str
) -> dict[str, Any]:
    """The Event's manifest; its name is unique, so that a repeated request is refused rather than doubled."""
    return {
        "apiVersion": resources.EVENTS.api_version,
        "kind": resources.EVENTS.kind,
        "metadata": {"name": f"{owner.name}.{secrets.token_hex(8)}", "namespace": owner.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": str(event.reason),
        "reason": str(event.reason),
        "regarding": {
            "apiVersion": constants.API_VERSION,
            "kind": constants.KIND,
            "name": owner.name,
            "namespace": owner.namespace,
            "uid": owner.uid,
        },
        "note": event.message[:NOTE_CHARACTERS],
        "type": str(event.type),
    }
