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
class Batch:
    """Rows of several cases in one request."""

    rows: tuple[tuple[str, int], ...]
    """(case, index of the row in that case), in the order in which they were sent."""
    answer: answers.Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class PodRecording:
    """One pod's answers. All but `answered` is recorded of a candidate's first pod only, and within bounds."""

    pod: str
    version: int
    """The version that every request was pinned to."""
    metadata: signatures.Metadata | None = None
    state: ModelState = ModelState.Unknown
    opening: answers.Answer | None = None
    """The answer to the status request, where that was not a state."""
    answered: Mapping[str, answers.Answer] = field(default_factory=dict)
    """By the case's name; a case that was not sent for want of time is absent."""
    repeated: Mapping[str, answers.Answer] = field(default_factory=dict)
    """The answers to the same requests again."""
    alone: Mapping[str, tuple[answers.Answer, ...]] = field(default_factory=dict)
    """For a case with several rows: the answer to each of them as a request of its own."""
    together: Batch | None = None
    """Rows of several cases in one request."""
    permuted: Batch | None = None
    """The rows of `together` in another order."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each case took; the shorter time where it was sent twice, since a first request warms up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRecording:
    """The load burst on one pod."""

    pod: str
    sent: int
    failures: tuple[answers.Answer, ...] = ()
    """The first few that did not succeed."""
    failed: int = 0
    compared: int = 0
    """Answers that were compared with the same case's answer alone."""
    differing: int = 0
    """How many of them differed by more than rounding."""
    example: str = ""
    """The first difference, in words."""
    golden: bool = False
    """Whether a differing answer misses its golden too."""
    slowest_seconds: float = 0.0


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
    provenance: cases.Provenance | None = None
    """What the goldens were recorded with."""
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
