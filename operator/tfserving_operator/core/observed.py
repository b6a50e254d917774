"""What the operator sees: projections of API objects, and the snapshot that a decision is made from.

A projection holds only the fields that a decision reads, so that an informer can drop events that change
nothing, and a thousand objects fit into little memory. ``from_raw`` functions take the API's JSON as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tfserving_operator.api import constants

Raw = Mapping[str, Any]


def parse_time(text: str | None) -> datetime | None:
    """An API timestamp, or None."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def controller_uid(raw: Raw) -> str:
    """The UID of the controlling owner, or ""."""
    owners = raw["metadata"].get("ownerReferences") or ()
    return next((o["uid"] for o in owners if o.get("controller")), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectMeta:
    """Metadata that every projection carries."""

    name: str
    namespace: str
    uid: str
    owner_uid: str
    """UID of the controlling owner, or ""."""
    model_deployment: str
    """Name of the ModelDeployment by label, or ""."""
    revision: str
    """Name of the revision by label, or ""."""
    resource_version: str = field(compare=False)
    deleting: bool


def meta_from_raw(raw: Raw) -> ObjectMeta:
    """The metadata of any API object."""
    meta = raw["metadata"]
    labels = meta.get("labels") or {}
    return ObjectMeta(
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        uid=meta["uid"],
        owner_uid=controller_uid(raw),
        model_deployment=labels.get(constants.LABEL_NAME, ""),
        revision=labels.get(constants.LABEL_REVISION, ""),
        resource_version=meta.get("resourceVersion", ""),
        deleting="deletionTimestamp" in meta,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Termination:
    """How a container ended."""

    reason: str
    exit_code: int
    message: str
    finished_at: datetime | None
    container_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """The state of one container of a pod."""

    name: str
    init: bool
    ready: bool
    running: bool
    waiting_reason: str
    waiting_message: str
    restart_count: int
    terminated: Termination | None
    last_terminated: Termination | None
    started_at: datetime | None = None
    """When it began to run; None while it does not."""
    has_killing_probe: bool = False
    """Whether the kubelet may end it for a liveness or startup probe. Ours have none; an admission may add one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A pod of a revision."""

    meta: ObjectMeta
    phase: str
    reason: str
    """`status.reason`, such as Evicted."""
    message: str
    ip: str
    node: str
    ready: bool
    scheduled: bool
    unschedulable_message: str
    created_at: datetime | None
    containers: tuple[Container, ...]
    qos_class: str = ""
    ended_at: datetime | None = None
    """When the kubelet ended the whole pod, as by an eviction; None while it has not."""


def _termination(raw: Raw | None) -> Termination | None:
    ended = (raw or {}).get("terminated")
    if not ended:
        return None
    return Termination(
        reason=ended.get("reason", ""),
        exit_code=ended.get("exitCode", 0),
        message=ended.get("message", ""),
        finished_at=parse_time(ended.get("finishedAt")),
        container_id=ended.get("containerID", ""),
    )


def _container(raw: Raw, *, init: bool, probed: frozenset[str]) -> Container:
    state = raw.get("state") or {}
    waiting = state.get("waiting") or {}
    return Container(
        name=raw["name"],
        init=init,
        ready=bool(raw.get("ready")),
        running="running" in state,
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restart_count=raw.get("restartCount", 0),
        terminated=_termination(state),
        last_terminated=_termination(raw.get("lastState")),
        started_at=parse_time((state.get("running") or {}).get("startedAt")),
        has_killing_probe=raw["name"] in probed,
    )


def pod_from_raw(raw: Raw) -> Pod:
    """The projection of a Pod."""
    status = raw.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    probed = _with_killing_probes(raw.get("spec") or {})
    inits, others = (status.get(key) or () for key in ("initContainerStatuses", "containerStatuses"))
    containers = [_container(c, init=True, probed=probed) for c in inits]
    containers += [_container(c, init=False, probed=probed) for c in others]
    return Pod(
        meta=meta_from_raw(raw),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        ip=status.get("podIP", ""),
        node=(raw.get("spec") or {}).get("nodeName", ""),
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        scheduled=scheduled.get("status") == "True",
        unschedulable_message=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
        created_at=parse_time(raw["metadata"].get("creationTimestamp")),
        containers=tuple(containers),
        qos_class=status.get("qosClass", ""),
        ended_at=_ended_at(conditions, containers) if status.get("phase") == "Failed" else None,
    )


def _with_killing_probes(spec: Raw) -> frozenset[str]:
    containers = spec.get("containers") or ()
    return frozenset(c["name"] for c in containers if "livenessProbe" in c or "startupProbe" in c)


def _ended_at(conditions: Mapping[str, Raw], containers: list[Container]) -> datetime | None:
    told = parse_time((conditions.get("DisruptionTarget") or {}).get("lastTransitionTime"))
    ends = [c.terminated.finished_at for c in containers if c.terminated and c.terminated.finished_at]
    return told or max(ends, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """The Deployment of a revision."""

    meta: ObjectMeta
    version: int
    """The model version by annotation; 0 where it is missing."""
    model_name: str
    signature_name: str
    memory_limit: str
    replicas: int
    """Asked for."""
    generation: int = field(compare=False)
    ready_replicas: int
    replica_failure: str
    """Message of the ReplicaFailure condition, or ""."""
    replica_failure_reason: str
    created_at: datetime | None
    resource_policy: str = ""
    """What its inspectors do about a limit below the floor; "" where they know of none."""


def deployment_from_raw(raw: Raw) -> Deployment:
    """The projection of a Deployment."""
    status = raw.get("status") or {}
    conditions = status.get("conditions") or ()
    failures: list[Raw] = [c for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"]
    failure: Raw = failures[0] if failures else {}
    annotations = raw["metadata"].get("annotations") or {}
    version = annotations.get(constants.ANNOTATION_MODEL_VERSION, "")
    return Deployment(
        meta=meta_from_raw(raw),
        version=int(version) if version.isdecimal() else 0,
        model_name=annotations.get(constants.ANNOTATION_MODEL_NAME, ""),
        signature_name=annotations.get(constants.ANNOTATION_SIGNATURE_NAME, ""),
        memory_limit=annotations.get(constants.ANNOTATION_MEMORY_LIMIT, ""),
        replicas=(raw.get("spec") or {}).get("replicas", 1),
        generation=raw["metadata"].get("generation", 0),
        ready_replicas=status.get("readyReplicas", 0),
        replica_failure=failure.get("message", ""),
        replica_failure_reason=failure.get("reason", ""),
        resource_policy=annotations.get(constants.ANNOTATION_RESOURCE_POLICY, ""),
        created_at=parse_time(raw["metadata"].get("creationTimestamp")),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaSet:
    """Only a link of the owner chain from a pod to its Deployment."""

    meta: ObjectMeta


def replica_set_from_raw(raw: Raw) -> ReplicaSet:
    """The projection of a ReplicaSet."""
    return ReplicaSet(meta=meta_from_raw(raw))


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """The stable Service of a ModelDeployment."""

    meta: ObjectMeta
    selector: tuple[tuple[str, str], ...]
    """Sorted pairs."""
    ports: tuple[tuple[str, int, str, str], ...]
    """Sorted (name, port, targetPort, protocol)."""
    type: str
    cluster_ip: str
    annotations: tuple[tuple[str, str], ...]
    """Sorted pairs."""


def service_from_raw(raw: Raw) -> Service:
    """The projection of a Service."""
    spec = raw.get("spec") or {}
    ports = (
        (p.get("name", ""), p["port"], str(p.get("targetPort", p["port"])), p.get("protocol", "TCP"))
        for p in spec.get("ports") or ()
    )
    return Service(
        meta=meta_from_raw(raw),
        selector=tuple(sorted((spec.get("selector") or {}).items())),
        ports=tuple(sorted(ports)),
        type=spec.get("type", "ClusterIP"),
        cluster_ip=spec.get("clusterIP", ""),
        annotations=tuple(sorted((raw["metadata"].get("annotations") or {}).items())),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigMap:
    """A ConfigMap of ours, without its data."""

    meta: ObjectMeta
    annotations: tuple[tuple[str, str], ...]


def config_map_from_raw(raw: Raw) -> ConfigMap:
    """The projection of a ConfigMap, or of its metadata alone."""
    return ConfigMap(
        meta=meta_from_raw(raw), annotations=tuple(sorted((raw["metadata"].get("annotations") or {}).items()))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A PersistentVolumeClaim."""

    meta: ObjectMeta
    phase: str
    access_modes: tuple[str, ...]


def claim_from_raw(raw: Raw) -> Claim:
    """The projection of a PersistentVolumeClaim."""
    return Claim(
        meta=meta_from_raw(raw),
        phase=(raw.get("status") or {}).get("phase", ""),
        access_modes=tuple((raw.get("spec") or {}).get("accessModes") or ()),
    )
