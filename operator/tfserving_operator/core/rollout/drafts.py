"""A decision in the making: each policy takes one and returns the next."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions, conditions


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What keeps the wanted revision from going on."""

    reason: reasons.Reason
    message: str
    needs_person: bool = False
    """Whether it is Stalled at once, rather than after the step's deadline."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A decision in the making."""

    status: status.Status
    planned: tuple[actions.Action, ...] = ()
    told: tuple[actions.Event, ...] = ()
    wake_seconds: float | None = None
    hold: Hold | None = None

    def with_status(self, **changes: Any) -> "Draft":
        """The draft with fields of its status replaced."""
        return replace(self, status=self.status.model_copy(update=changes))

    def with_actions(self, *more: actions.Action) -> "Draft":
        """The draft with further actions, after those that it has."""
        return replace(self, planned=(*self.planned, *more))

    def with_event(self, kind: actions.EventType, reason: reasons.Reason, message: str) -> "Draft":
        """The draft with one more Event."""
        event = actions.Event(type=kind, reason=reason, message=conditions.cut(message))
        return replace(self, told=(*self.told, event))

    def with_wake(self, seconds: float) -> "Draft":
        """The draft, to be looked at again after so long, or earlier."""
        earliest = seconds if self.wake_seconds is None else min(seconds, self.wake_seconds)
        return replace(self, wake_seconds=max(earliest, 0.0))

    def with_hold(self, hold: Hold) -> "Draft":
        """The draft, held; the first reason found stays."""
        return self if self.hold is not None else replace(self, hold=hold)

    def with_step(self, step: reasons.Step, now: datetime, **changes: Any) -> "Draft":
        """The draft with its candidate in another step, whose deadline counts from now."""
        candidate = self.status.candidate_revision
        assert candidate is not None
        after = candidate.model_copy(update={"step": step, "since": now, **changes})
        return self.with_status(candidate_revision=after)


def with_rejection(
    rejections: Iterable[status.Rejection], rejection: status.Rejection
) -> tuple[status.Rejection, ...]:
    """The quarantine, newest first, one entry a revision, bounded."""
    return (rejection, *(r for r in rejections if r.name != rejection.name))[:16]
