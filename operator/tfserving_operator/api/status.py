"""``.status`` of a ModelDeployment: what the operator knows, and all that it needs after a crash."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_serializer

from tfserving_operator.api import reasons
from tfserving_operator.api.base import StatusModel

Message = Annotated[str, Field(max_length=2048)]
Name = Annotated[str, Field(max_length=253)]
Word = Annotated[str, Field(max_length=128)]


class Condition(StatusModel):
    """A standard Kubernetes condition."""

    type: reasons.ConditionType
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$", max_length=7)]
    reason: Word
    message: Message = ""
    observed_generation: int = 0
    last_transition_time: datetime


class Revision(StatusModel):
    """A revision that serves, or served before."""

    name: Name
    version: int
    model_digest: Word | None = None
    since: datetime
    """When it took the traffic."""
    bake_until: datetime | None = None
    """End of its bake; None once that is over. The previous revision stays warm until then."""


class Candidate(StatusModel):
    """The revision on its way; while it bakes it is the active one too."""

    name: Name
    version: int
    model_digest: Word | None = None
    step: reasons.Step
    since: datetime
    """When the step began: its deadline counts from here, and flapping does not reset it."""
    purpose: reasons.Purpose = reasons.Purpose.Rollout


class Rejection(StatusModel):
    """A revision in quarantine, and what has to change before it is tried again."""

    name: Name
    version: int
    reason: Word
    cause: Word = ""
    message: Message = ""
    time: datetime
    smoke_digest: Word = ""
    """Of the smoke input at the time; another one lifts the quarantine."""
    retry_token: Word = ""
    """`spec.rollout.retryToken` at the time; another one lifts the quarantine."""


class CheckStatus(StatusModel):
    """What one check of the last smoke test said."""

    name: Word
    verdict: reasons.Verdict
    message: Message = ""
    evidence: Message = ""


class SmokeStatus(StatusModel):
    """The last smoke test."""

    revision: Name
    verdict: reasons.Verdict | None = None
    """None when it could not be run."""
    reason: Word = ""
    """Passed, why it failed, or why it could not be run."""
    cause: Word = ""
    """What the probes found behind a failure, as far as they could tell."""
    message: Message = ""
    checks: Annotated[tuple[CheckStatus, ...], Field(max_length=32)] = ()
    duration_seconds: float = 0.0
    time: datetime
    cases_digest: Word = ""
    """sha256 of the smoke input that was sent."""
    input_digest: Word = ""
    """Of what the spec says of the smoke input; another one asks for a new test."""
    consecutive_failures: int = 0
    """Of repeated tests of the active revision: two in a row step back."""


class OutOfMemory(StatusModel):
    """One container that ran out of memory."""

    revision: Name
    pod: Name
    container: Word
    kind: Word
    """In which way: OOMKilled, ExitCode137, Evicted, BadAlloc, AllocationFailed or GpuAllocationFailed."""
    time: datetime
    container_id: Annotated[Word, Field(alias="containerID")] = ""
    """Of the container that ended, "" for a pod as a whole: no end is counted twice."""


class ResourcesStatus(StatusModel):
    """What is known of the memory that a model needs: the candidate's, else that of the revision that the spec asks for."""

    revision: Name = ""
    """Of which revision the sizes, the class and the recommendation tell."""
    model_bytes: int | None = None
    """Of its variables and its graph, on disk."""
    memory_floor: Word | None = None
    """The least memory in which a server can load the model: a lower limit is refused, or warned of."""
    peak_working_set: Word | None = None
    """The largest working set that was measured of one of its servers, where `metrics.k8s.io` is asked for it."""
    recommended_memory_limit: Word | None = None
    """What to set `resources.limits.memory` to: from the floor, the peak, and from limits that were not enough."""
    qos_class: Word | None = None
    """Guaranteed or Burstable: which pods a node that runs out of memory evicts first."""
    last_oom: Annotated[OutOfMemory | None, Field(alias="lastOOM")] = None
    recent_ooms: Annotated[tuple[OutOfMemory, ...], Field(alias="recentOOMs", max_length=16)] = ()
    """The last ones, oldest first. Those of the active revision within `rollout.oom.windowSeconds` count."""


class StepBack(StatusModel):
    """The one step back that a spec generation or retry token is allowed after its bake."""

    reason: Word
    message: Message = ""

    generation: int
    """Of the spec at the time."""
    spec_digest: Word = ""
    """Of the spec without its replicas: an autoscaler's change of them allows no further step."""
    retry_token: Word = ""
    from_revision: Name
    to_revision: Name = ""
    """"" where no earlier revision was worth going back to: the newer one stays."""
    time: datetime


class Endpoints(StatusModel):
    """Where clients reach the model inside the cluster."""

    rest: Message = ""
    grpc: Message = ""


class Status(StatusModel):
    """``.status`` of a ModelDeployment."""

    observed_generation: int = -1
    phase: reasons.Phase = reasons.Phase.Pending
    active_revision: Revision | None = None
    candidate_revision: Candidate | None = None
    previous_revision: Revision | None = None
    rejected_revisions: Annotated[tuple[Rejection, ...], Field(max_length=16)] = ()
    smoke: SmokeStatus | None = None
    resources: ResourcesStatus | None = None
    step_back: StepBack | None = None
    replicas: int = 0
    ready_replicas: int = 0
    selector: Message = ""
    endpoints: Endpoints | None = None
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()

    @field_serializer("conditions")
    def _in_one_order(self, conditions: tuple[Condition, ...]) -> list[dict[str, object]]:
        return [c.model_dump(mode="json", by_alias=True) for c in sorted(conditions, key=lambda c: c.type)]

    def to_wire(self) -> dict[str, object]:
        """The object as JSON types, without what is absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
