"""What a decision asks the outside world to do. Every action can be derived again after a crash."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tfserving_operator.api import reasons, status
from tfserving_operator.core.smoke import plans


@dataclass(frozen=True, kw_only=True, slots=True)
class Create:
    """POST an object. One that is there already and is not ours is left alone and reported as a conflict."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """A JSON merge patch of an object of ours. It carries metadata.uid, so that no namesake is changed."""

    kind: str
    name: str
    uid: str
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Delete an object of ours, its dependents in the background."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StartTest:
    """Run a smoke test in the background; its end wakes the object."""

    request: plans.TestRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class PinCases:
    """Record a pass: the immutable ConfigMap `<revision>-cases`, replaced when the smoke input changed."""

    manifest: Mapping[str, Any]
    replaces_uid: str = ""


Action = Create | Patch | Delete | StartTest | PinCases


class EventType(StrEnum):
    """The two types of Kubernetes Events."""

    Normal = "Normal"
    Warning = "Warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A Kubernetes Event about the ModelDeployment, sent after the status write."""

    type: EventType
    reason: reasons.Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What a decision comes to: act in order, then write the status if it differs, then send the Events."""

    status: status.Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
