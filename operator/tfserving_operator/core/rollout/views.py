"""What the policies read of a snapshot, under the names that they use."""

from dataclasses import dataclass
from datetime import datetime

from tfserving_operator.api import constants, reasons, status, types
from tfserving_operator.core import health, observed, revisions, snapshot, validation, workloads


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A snapshot whose spec could be read, the time, and what follows from both."""

    snap: snapshot.Snapshot
    spec: types.Spec
    now: datetime
    wanted: str
    """Name of the revision that the spec asks for."""
    input_digest: str
    """Of what the spec says of the smoke input."""
    spec_digest: str
    """Of the spec, but for the scale and the pause."""
    violations: tuple[validation.Violation, ...]
    """Errors: nothing is started while there are any."""
    warnings: tuple[validation.Violation, ...] = ()

    def model_name_of(self, revision: str) -> str:
        """NAME of /v1/models/NAME that a revision answers to; the spec's while it has no Deployment."""
        deployment = self.snap.deployments.get(revision)
        return (deployment.model_name if deployment else "") or self.spec.model.name or self.snap.owner.name

    def is_spec_new(self) -> bool:
        """Whether this generation of the spec is seen for the first time."""
        return self.snap.status.observed_generation != self.snap.owner.generation

    def pods(self, revision: str) -> tuple[observed.Pod, ...]:
        """The revision's pods, but for those on their way out."""
        return tuple(p for p in self.snap.pods.get(revision, ()) if health.is_live(p))

    def ready_pods(self, revision: str) -> tuple[observed.Pod, ...]:
        """The revision's pods that are Ready."""
        return tuple(p for p in self.pods(revision) if p.ready and p.ip)

    def problems(self, revision: str, *, since: datetime | None = None) -> tuple[health.Problem, ...]:
        """What is wrong with the revision, evidence about the model first."""
        deployment = self.snap.deployments.get(revision)
        return health.problems(deployment, self.snap.pods.get(revision, ()), since=since)

    def pin(self, revision: str) -> observed.ConfigMap | None:
        """The recorded pass of a revision, or None."""
        return self.snap.config_maps.get(workloads.pin_name(revision))

    def pin_annotation(self, revision: str, key: str) -> str:
        """An annotation of the recorded pass, or ""."""
        pin = self.pin(revision)
        return dict(pin.annotations).get(key, "") if pin is not None else ""

    def service_names(self) -> str:
        """The revision that the Service was last flipped to by us, or ""."""
        service = self.snap.service
        return dict(service.annotations).get(constants.ANNOTATION_ACTIVE_REVISION, "") if service else ""

    def is_refused(self, kind: str, name: str) -> bool:
        """Whether the API server refused a write of that object a moment ago."""
        return any(r.kind == kind and r.name == name for r in self.snap.refusals)

    def quarantined(self, revision: str, state: status.Status) -> status.Rejection | None:
        """The rejection that still keeps a revision from being tried, or None."""
        for rejection in state.rejected_revisions:
            if (
                rejection.name == revision
                and rejection.smoke_digest == self.input_digest
                and rejection.retry_token == self.spec.rollout.retry_token
                and not self._is_only_warned_of(rejection)
            ):
                return rejection
        return None

    def _is_only_warned_of(self, rejection: status.Rejection) -> bool:
        """Whether what was refused by its memory floor is now to be started all the same."""
        warns = self.spec.resource_policy is types.ResourcePolicy.Warn
        return warns and rejection.reason == reasons.Reason.MemoryBelowFloor

    def step_back(self, state: status.Status) -> status.StepBack | None:
        """The step back that was already used for this spec and retry token, or None."""
        used = state.step_back
        return used if used is not None and used.spec_digest == self.spec_digest else None


def is_complete(view: View, revision: str) -> bool:
    """Whether as many pods of the revision are Ready as were asked for, and at least one."""
    return len(view.ready_pods(revision)) >= max(1, view.spec.replicas)


def _revisions(snap: snapshot.Snapshot) -> list[str]:
    """The names of the revisions that are there or remembered, what serves first."""
    state = snap.status
    in_use = (state.active_revision, state.candidate_revision, state.previous_revision)
    remembered = (*(r for r in in_use if r is not None), *state.rejected_revisions)
    return [*(r.name for r in remembered), *snap.deployments]


def build(snap: snapshot.Snapshot, spec: types.Spec, now: datetime) -> View:
    """The view of a snapshot."""
    found = validation.validate(spec, owner_name=snap.owner.name, policy=snap.policy)
    return View(
        snap=snap,
        spec=spec,
        now=now,
        wanted=revisions.name_of(snap.owner.name, spec, there=_revisions(snap)),
        spec_digest=revisions.spec_digest(spec),
        input_digest=revisions.smoke_digest(spec, snap.cases_versions),
        violations=tuple(v for v in found if v.severity is validation.Severity.Error),
        warnings=tuple(v for v in found if v.severity is validation.Severity.Warning),
    )
