"""The six versions: what each of them is, what should become of it, and waiting for that."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from local.demo import manifests, models
from local.demo.access import Access
from local.demo.board import Board, Outcome, Result
from tfserving_operator.api import reasons

STEP_TIMEOUT_SECONDS = 240.0
"""After which a step counts as without outcome."""

TRAFFIC_SECONDS = 3.0
"""How long a version gets traffic in its bake before the client sends it the large batch."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One version and what should become of it."""

    version: int
    title: str
    outcome: Outcome
    reason: str
    gets_burst: bool = False
    """Whether the client sends a very large batch in the bake."""


STEPS = (
    Step(
        version=1,
        title="a good model",
        outcome=Outcome.Promoted,
        reason=reasons.Reason.RevisionReady,
    ),
    Step(
        version=2,
        title="an export that ignores the picture",
        outcome=Outcome.Rejected,
        reason=reasons.Reason.IdenticalOutputs,
    ),
    Step(
        version=3,
        title="the scaling of the pixels is missing",
        outcome=Outcome.Rejected,
        reason=reasons.Reason.GoldenMismatch,
    ),
    Step(
        version=4,
        title="its variables need more than the memory limit",
        outcome=Outcome.Rejected,
        reason=reasons.Reason.MemoryBelowFloor,
    ),
    Step(
        version=5,
        title="good, until somebody sends a large batch",
        outcome=Outcome.RolledBack,
        reason=reasons.Reason.OOMKilled,
        gets_burst=True,
    ),
    Step(
        version=6,
        title="trained anew",
        outcome=Outcome.Promoted,
        reason=reasons.Reason.RevisionReady,
    ),
)
"""In the order in which they are applied."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a rollout ended, and why."""

    outcome: Outcome
    reason: str
    cause: str = ""
    message: str = ""


def ending_of(status: Mapping[str, Any], *, version: int, generation: int, was_active: bool) -> Ending | None:
    """Return how the rollout of a version ended; None while it goes on.

    Parameters
    ----------
    status
        Of the ModelDeployment.
    version
        That the spec asks for.
    generation
        Of the object that asks for it: an older status says nothing about it.
    was_active
        Whether the version was seen to serve.
    """
    if status.get("observedGeneration", -1) < generation:
        return None
    active = status.get("activeRevision") or {}
    candidate = status.get("candidateRevision") or {}
    for rejection in status.get("rejectedRevisions", ()):
        if rejection["version"] == version and version not in {
            active.get("version"),
            candidate.get("version"),
        }:
            return Ending(
                outcome=Outcome.RolledBack if was_active else Outcome.Rejected,
                reason=rejection["reason"],
                cause=rejection.get("cause", ""),
                message=rejection.get("message", ""),
            )
    ready = condition_of(status, reasons.ConditionType.Ready)
    if active.get("version") == version and ready.get("status") == "True":
        return Ending(outcome=Outcome.Promoted, reason=ready["reason"], message=ready.get("message", ""))
    return None


def condition_of(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of a status, empty when it is not there."""
    return next((each for each in status.get("conditions", ()) if each["type"] == kind), {})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """Applies versions one after the other."""

    access: Access
    board: Board
    known: models.Models
    image: str
    send_burst: Callable[[], Awaitable[None]]

    async def run(self, step: Step) -> Result:
        """Apply a version and wait for what becomes of it."""
        wanted = manifests.model_deployment(step.version, known=self.known, image=self.image)
        began = time.monotonic()
        (applied,) = await asyncio.to_thread(self.access.apply, wanted)
        generation = applied["metadata"]["generation"]
        burst: asyncio.Task[None] | None = None
        try:
            while (ending := self._ending(step, generation)) is None:
                left = began + STEP_TIMEOUT_SECONDS - time.monotonic()
                if left <= 0:
                    return self._unfinished(step, STEP_TIMEOUT_SECONDS)
                if step.gets_burst and burst is None and self._bakes(step, generation):
                    burst = asyncio.create_task(self._burst_later())
                await self._next_change(left)
        finally:
            if burst:
                await burst
        return Result(version=step.version, seconds=time.monotonic() - began, **dataclasses.asdict(ending))

    async def _next_change(self, seconds: float) -> None:
        self.board.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.board.changed.wait()

    async def _burst_later(self) -> None:
        await asyncio.sleep(TRAFFIC_SECONDS)
        await self.send_burst()

    def _ending(self, step: Step, generation: int) -> Ending | None:
        return ending_of(
            self.board.status,
            version=step.version,
            generation=generation,
            was_active=any(each.version == step.version for each in self.board.promotions),
        )

    def _bakes(self, step: Step, generation: int) -> bool:
        status = self.board.status
        candidate = status.get("candidateRevision") or {}
        return (
            status.get("observedGeneration", -1) >= generation
            and candidate.get("version") == step.version
            and candidate.get("step") == reasons.Step.Baking
        )

    def _unfinished(self, step: Step, seconds: float) -> Result:
        stalled = condition_of(self.board.status, reasons.ConditionType.Stalled)
        ready = condition_of(self.board.status, reasons.ConditionType.Ready)
        telling = stalled if stalled.get("status") == "True" else ready
        return Result(
            version=step.version,
            outcome=None,
            reason=telling.get("reason", ""),
            message=telling.get("message", ""),
            seconds=seconds,
        )
