"""Transitions of conditions: the time moves only when the status does."""

from datetime import datetime

from tfserving_operator.api import reasons, status

MESSAGE_CHARACTERS = 1024
"""Longer messages are cut: conditions are copied into every tool's table."""


def find(conditions: tuple[status.Condition, ...], kind: reasons.ConditionType) -> status.Condition | None:
    """The condition of a type, or None."""
    return next((c for c in conditions if c.type == kind), None)


def with_condition(
    conditions: tuple[status.Condition, ...],
    *,
    kind: reasons.ConditionType,
    state: str,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> tuple[status.Condition, ...]:
    """The conditions with one of them set; `lastTransitionTime` is kept unless `state` flips."""
    before = find(conditions, kind)
    since = before.last_transition_time if before is not None and before.status == state else now
    after = status.Condition(
        type=kind,
        status=state,
        reason=reason,
        message=cut(message),
        observed_generation=generation,
        last_transition_time=since,
    )
    return (*(c for c in conditions if c.type != kind), after)


def cut(message: str, characters: int = MESSAGE_CHARACTERS) -> str:
    """The message, cut to a length with a mark."""
    return message if len(message) <= characters else message[: characters - 1] + "…"
