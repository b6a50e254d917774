"""What became of rollouts, as two statuses in a row tell it: for the metrics, whose labels must stay few."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tfserving_operator.api import reasons, status
from tfserving_operator.core.smoke import causes

OTHER: Final = "Other"
"""Stands for a word that is not ours: someone else wrote the status."""


class Outcome(StrEnum):
    """How a rollout ended."""

    Ready = "Ready"
    """means its revision serves, and its bake is over"""
    RolledBack = "RolledBack"
    """means its revision was rejected, and an earlier one serves"""
    Rejected = "Rejected"
    """means its revision was rejected, and nothing serves"""
    SteppedBack = "SteppedBack"
    """means its revision failed after the bake, and an earlier one was started"""
    Superseded = "Superseded"
    """means the spec asked for another revision before it ended"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutEnd:
    """One rollout that ended."""

    outcome: Outcome
    reason: str = ""
    """Of a failure, else ""."""
    cause: str = ""
    """What the probes found behind it, as far as they could tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepEnd:
    """One step of a rollout that ended."""

    step: reasons.Step
    seconds: float


def ended_rollout(before: status.Status, after: status.Status) -> RolloutEnd | None:
    """The rollout that ended between two statuses, if one did."""
    used = after.step_back
    if used is not None and used != before.step_back and used.to_revision:
        return RolloutEnd(outcome=Outcome.SteppedBack, reason=_reason(used.reason))
    candidate = before.candidate_revision
    if candidate is None or candidate.purpose is not reasons.Purpose.Rollout:
        return None
    present = after.candidate_revision
    rejection = _new_rejection(before, after, candidate.name)
    if rejection is not None:
        outcome = Outcome.RolledBack if after.active_revision is not None else Outcome.Rejected
        return RolloutEnd(outcome=outcome, reason=_reason(rejection.reason), cause=_cause(rejection.cause))
    if present is not None and present.name == candidate.name:
        return None
    active = after.active_revision
    if active is not None and active.name == candidate.name:
        return RolloutEnd(outcome=Outcome.Ready)
    return RolloutEnd(outcome=Outcome.Superseded)


def ended_step(before: status.Status, after: status.Status, now: datetime) -> StepEnd | None:
    """The step that ended between two statuses, if one did."""
    was, present = before.candidate_revision, after.candidate_revision
    if was is None:
        return None
    if present is not None and (present.name, present.step) == (was.name, was.step):
        return None
    return StepEnd(step=was.step, seconds=max(0.0, (now - was.since).total_seconds()))


def new_kills(before: status.Status, after: status.Status) -> Iterator[str]:
    """In which ways model servers ran out of memory between two statuses."""
    known = set(_kills(before))
    for kill in sorted(set(_kills(after)) - known, key=lambda k: (k.time, k.pod, k.container_id)):
        yield kill.kind if kill.kind in set(reasons.KillKind) else OTHER


def _kills(of: status.Status) -> Iterator[status.OutOfMemory]:
    if of.resources is not None:
        yield from of.resources.recent_ooms
        if of.resources.last_oom is not None:
            yield of.resources.last_oom


def _new_rejection(before: status.Status, after: status.Status, name: str) -> status.Rejection | None:
    known = {(r.name, r.time) for r in before.rejected_revisions}
    found = (r for r in after.rejected_revisions if r.name == name and (r.name, r.time) not in known)
    return next(found, None)


def _reason(word: str) -> str:
    return word if word in set(reasons.Reason) else OTHER


def _cause(word: str) -> str:
    return word if not word or word in set(causes.Cause) else OTHER
