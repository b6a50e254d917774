"""What one smoke test is to do, and what came of it: the contract between the rollout and the test runner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection as inspections


class TestPurpose(StrEnum):
    """Why a test runs; it decides what a failure leads to."""

    __test__ = False  # not a pytest class

    Candidate = "Candidate"
    """means before promotion: every case, on every pod, and the load burst"""
    Rollback = "Rollback"
    """means before going back: the pinned cases once, no load burst"""
    Bake = "Bake"
    """means through the Service during the bake, with the pinned cases"""
    Repeat = "Repeat"
    """means the active revision again, with its pinned cases"""
    NewPod = "NewPod"
    """means a pod that joined the active revision"""
    CasesChanged = "CasesChanged"
    """means the active revision with a changed smoke input"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One pod's REST endpoint."""

    pod: str
    address: str
    """host:port"""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecCases:
    """The cases of the spec: inline, from ConfigMaps, or made from the signature when there are none."""

    inline: tuple[Mapping[str, Any], ...]
    config_maps: tuple[tuple[str, str], ...]
    """(name, key) pairs, read by GET when the test starts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedCases:
    """The cases that a revision passed with, in a ConfigMap of ours."""

    config_map: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TestRequest:
    """A smoke test that the rollout asks for.

    Results are kept under `key`, which holds all that would make an earlier result worthless:
    purpose, revision, smoke input, pods with their restarts, and the attempt.
    """

    __test__ = False

    key: str
    purpose: TestPurpose
    namespace: str
    revision: str
    targets: tuple[Target, ...]
    control: Target | None
    """A pod of the active revision, for comparison of spreads; None when there is none."""
    control_version: int | None
    control_model_name: str = ""
    """The active revision may serve under another model name; "" where there is no control."""
    control_signature_name: str = ""
    model_name: str
    version: int
    signature_name: str
    cases: SpecCases | PinnedCases
    checks: Mapping[str, Any]
    """`spec.smoke.checks` as it was written."""
    load_requests: int
    """0: no burst."""
    load_concurrency: int
    timeout_seconds: float
    most_rows: int | None = None
    """The most rows that the server takes in one request; None where it does not batch."""
    inspection: inspections.Inspection | None = None
    """What the inspector saw of the model; it refines causes."""
    control_inspection: inspections.Inspection | None = None


class NoVerdict(StrEnum):
    """Why a test says nothing about the model."""

    CasesMissing = reasons.Reason.CasesMissing
    CasesInvalid = reasons.Reason.CasesInvalid
    PodUnreachable = reasons.Reason.PodUnreachable
    TestCannotRun = reasons.Reason.TestCannotRun


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """What one check said."""

    name: str
    verdict: reasons.Verdict
    enforced: bool
    reason: str = ""
    cause: str = ""
    message: str = ""
    evidence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestOutcome:
    """What a test said."""

    __test__ = False

    verdict: reasons.Verdict | None
    """None: it could not be run, and `reason` is a `NoVerdict`."""
    reason: str
    """Of a failure: IdenticalOutputs, GoldenMismatch, NonFiniteOutputs, WrongVersion, PredictionFailed …"""
    cause: str = ""
    message: str = ""
    checks: tuple[CheckResult, ...] = ()
    cases_digest: str = ""
    """sha256 of the canonical smoke input that was sent."""
    pinned_cases: bytes = b""
    """The canonical JSON of the cases (b"" for made inputs), to be pinned after a pass."""
    started_at: datetime
    finished_at: datetime
    out_of_memory: bool = False
    """Whether it failed because TensorFlow's allocator got no memory."""
    starved_pod: str = ""
    """Whose allocator that was."""
    recorded: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What was sent and answered, in short, for the log: inputs' digests, outputs' spreads, probes."""

    @property
    def duration_seconds(self) -> float:
        """How long the test took."""
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class TestState:
    """A test that runs, or has run, in this process."""

    __test__ = False

    started_at: datetime
    outcome: TestOutcome | None = None
    """None while it runs."""
