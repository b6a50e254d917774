"""What a disruption budget would do that is hardly meant."""

from collections.abc import Iterator
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core.validation.violations import Severity, Subject, Violation

_NONE: Final = (0, "0%")


def check(subject: Subject) -> Iterator[Violation]:
    """A budget that no eviction gets past: allowed, since somebody may mean it, and told."""
    asked = subject.spec.disruption.max_unavailable
    if asked in _NONE:
        yield Violation(
            field="spec.disruption.maxUnavailable",
            value=str(asked),
            problem=f"{asked} forbids every eviction, so that the drain of a node waits for ever",
            remedy="write 1, or leave it out",
            reason=reasons.Reason.InvalidSpec,
            severity=Severity.Warning,
        )
