"""What validation finds."""

from dataclasses import dataclass
from enum import StrEnum

from tfserving_operator.api import reasons, types
from tfserving_operator.core import snapshot


class Severity(StrEnum):
    """What a violation leads to."""

    Error = "Error"
    """means nothing is started"""
    Warning = "Warning"
    """means it is told, and the rollout goes on"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One thing that is wrong, and what to write instead."""

    field: str
    """Its path in the user's words: spec.resources.limits.memory"""
    value: str
    problem: str
    remedy: str
    """Reads on from the problem: "write 500Mi"."""
    reason: reasons.Reason
    severity: Severity = Severity.Error

    @property
    def message(self) -> str:
        """Problem and remedy."""
        return f"{self.problem}: {self.remedy}" if self.remedy else self.problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is validated, and against what."""

    spec: types.Spec
    owner_name: str
    policy: snapshot.Policy
