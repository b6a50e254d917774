"""What the demo has seen so far: written by its tasks, read by the view and the report."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from local.demo.judging import Request


class Outcome(StrEnum):
    """How a version's rollout ended."""

    Promoted = "Promoted"
    """means it serves, and its bake is over"""
    Rejected = "Rejected"
    """means it never served"""
    RolledBack = "RolledBack"
    """means it served, and was taken back"""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What happened to a version."""

    version: int
    outcome: Outcome | None
    """None when it was not over in time."""
    reason: str
    cause: str = ""
    message: str = ""
    seconds: float
    """From the apply to the outcome in the status."""
    flip_seconds: float | None = None
    """From the kubelet's report of the kill to the Service's flip."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """The active revision was seen to change."""

    seen: float
    """Unix seconds."""
    version: int
    revision: str


@dataclasses.dataclass(kw_only=True, slots=True)
class Board:
    """Everything at a glance."""

    started: float = dataclasses.field(default_factory=time.monotonic)
    """Monotonic seconds."""
    resource: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The ModelDeployment as it was seen last."""
    changed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set when `resource` is a new one."""
    promotions: list[Promotion] = dataclasses.field(default_factory=list)
    results: list[Result] = dataclasses.field(default_factory=list)
    requests: list[Request] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    """Lines for people, oldest first."""

    def see(self, resource: Mapping[str, Any]) -> None:
        """Take in a newer state of the ModelDeployment."""
        active = resource.get("status", {}).get("activeRevision")
        if active and (not self.promotions or self.promotions[-1].revision != active["name"]):
            self.promotions.append(
                Promotion(seen=time.time(), version=active["version"], revision=active["name"])
            )
        self.resource = resource
        self.changed.set()

    @property
    def status(self) -> Mapping[str, Any]:
        """The status that was seen last."""
        return dict(self.resource.get("status", {}))
