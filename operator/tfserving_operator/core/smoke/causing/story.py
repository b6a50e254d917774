"""A cause with the sentence that tells how it is known, and the clues of an inspection."""

from dataclasses import dataclass

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.checks import evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """Why the answers are as they are."""

    cause: causes.Cause
    told: str
    """A sentence without its full stop."""


def clue(found: evidence.Evidence, kind: inspection.Clue) -> str | None:
    """What the inspector says of one kind; None where it saw no such thing."""
    inspected = found.request.inspection
    if inspected is None or kind not in inspected.clues:
        return None
    return inspected.clues[kind]


def by_clue(found: evidence.Evidence, kind: inspection.Clue, cause: causes.Cause, text: str) -> Story | None:
    """A story that the inspected graph tells."""
    detail = clue(found, kind)
    if detail is None:
        return None
    return Story(cause=cause, told=f"{text} ({detail})" if detail else text)
