"""What the API refused for good, remembered for a while, so that a decision can tell the user."""

from dataclasses import dataclass
from typing import Final

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.core import snapshot

MEMORY_SECONDS: Final = 60.0
"""After this the action is tried again: quotas are raised and names are freed without a word to us."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Remembered:
    refusal: snapshot.Refusal
    generation: int
    until: float


class Refusals:
    """Refused actions by the UID of their ModelDeployment."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._by_uid: dict[str, dict[tuple[str, str], _Remembered]] = {}

    def record(self, owner: snapshot.Owner, refusal: snapshot.Refusal) -> None:
        """Remember a refusal."""
        self._by_uid.setdefault(owner.uid, {})[refusal.kind, refusal.name] = _Remembered(
            refusal=refusal,
            generation=owner.generation,
            until=self._clock.monotonic() + MEMORY_SECONDS,
        )

    def of(self, owner: snapshot.Owner) -> tuple[snapshot.Refusal, ...]:
        """The refusals that still hold for this generation."""
        now = self._clock.monotonic()
        held = {
            place: remembered
            for place, remembered in self._by_uid.get(owner.uid, {}).items()
            if remembered.generation == owner.generation and remembered.until > now
        }
        if held:
            self._by_uid[owner.uid] = held
        else:
            self._by_uid.pop(owner.uid, None)
        return tuple(remembered.refusal for remembered in held.values())

    def next_end_seconds(self, owner: snapshot.Owner) -> float | None:
        """When the first of them is forgotten, None where there are none."""
        ends = [remembered.until for remembered in self._by_uid.get(owner.uid, {}).values()]
        return max(0.0, min(ends) - self._clock.monotonic()) if ends else None

    def forget(self, uid: str) -> None:
        """Drop what is known of a ModelDeployment that is gone."""
        self._by_uid.pop(uid, None)
