"""What was asked of which pod, and what it answered: all that a verdict is made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, signatures


class ModelState(StrEnum):
    """What a server's status route says of one version."""

    Unknown = ""
    """means it was not asked, or gave no answer"""
    Start = "START"
    """means it is about to load"""
    Loading = "LOADING"
    """means it loads"""
    Available = "AVAILABLE"
    """means it serves"""
    Unloading = "UNLOADING"
    """means it is being given up"""
    End = "END"
    """means it was unloaded, or failed"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodRecording:
    """One pod's answers."""

    pod: str
    version: int
    """The version that every request was pinned to."""
    metadata: signatures.Metadata | None = None
    state: ModelState = ModelState.Unknown
    opening: answers.Answer | None = None
    """The answer to the status request, where that was not a state."""
    answered: Mapping[str, answers.Answer] = field(default_factory=dict)
    """By the case's name; a case that was not sent for want of time is absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRecording:
    """The load burst on one pod."""

    pod: str
    sent: int
    failures: tuple[answers.Answer, ...] = ()
    """The first few that did not succeed."""
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A whole test."""

    targets: tuple[PodRecording, ...]
    control: PodRecording | None = None
    """The active revision's pod."""
    sent: tuple[cases.Case, ...] = ()
    """The cases that were sent: the user's, or the made ones."""
    made: bool = False
    """Whether the cases were made from the signature: they say less than a user's."""
    not_made: str = ""
    """Why no inputs could be made."""
    load: tuple[LoadRecording, ...] = ()
    probes: Mapping[str, Mapping[str, answers.Answer]] = field(default_factory=dict)
    """Answers of the first target to changed inputs, by the probe's and the case's name."""
    timed_out: bool = False
    """Whether the test ended for want of time."""

    def signature(self, name: str) -> inspection.Signature | None:
        """The signature as the candidate serves it."""
        for target in self.targets:
            if target.metadata is not None:
                return target.metadata.signatures.get(name)
        return None

    def every_answer(self) -> Iterator[tuple[PodRecording, cases.Case, answers.Answer]]:
        """Each answer of the candidate's pods, in the order of pods and cases."""
        for target in self.targets:
            for case in self.sent:
                if case.name in target.answered:
                    yield target, case, target.answered[case.name]
