"""What stands between a revision's pods and their being Ready, and whether the model is to blame.

Only evidence about the model may quarantine a revision; everything else is held and retried.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tfserving_operator.api import constants, reasons
from tfserving_operator.core import inspection, kills, observed
from tfserving_operator.core.smoke import causes

CRASHES_TO_REJECT: Final = 2
"""How often a candidate's server must end by itself: once may be a file that is still being copied."""

_IMAGE_WAITING: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_ELSEWHERE: Final = (
    "volume node affinity conflict",  # until 1.33
    "didn't match PersistentVolume's node affinity",  # from 1.34
    "didn't match pod affinity rules",  # our own rule for claims that only one node may mount
)
"""What the scheduler says when a pod's volume is on another node."""
_CONFIG_WAITING: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_NODES_END: Final = frozenset({"Unknown", "ContainerStatusUnknown"})
"""What the runtime says of containers that ended with their node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with a revision."""

    reason: reasons.Reason
    message: str
    about_model: bool
    """Whether it is evidence about the model, and so a reason to reject the revision."""
    kill: kills.Kill | None = None
    cause: str = ""
    """What the server's own words tell of it."""


def is_live(pod: observed.Pod) -> bool:
    """Whether a pod counts: one that is being deleted or has ended is on its way out."""
    return not pod.meta.deleting and pod.phase not in {"Failed", "Succeeded"}


def problems(
    deployment: observed.Deployment | None, pods: Iterable[observed.Pod], *, since: datetime | None = None
) -> tuple[Problem, ...]:
    """What is wrong with a revision, evidence about the model first.

    Parameters
    ----------
    deployment
        The revision's Deployment; None before it is made.
    pods
        The revision's pods. Those being deleted are passed over: their end is ours.
    since
        Pods that the kubelet ended before are passed over: they stay to be seen for days.
    """
    counted = [p for p in pods if not p.meta.deleting and not _ended_before(p, since)]
    found = [problem for pod in counted for problem in _of_pod(pod)]
    if deployment is not None and deployment.replica_failure:
        found.append(refused(deployment.replica_failure))
    return tuple(sorted(found, key=lambda p: not p.about_model))


def refused(message: str) -> Problem:
    """The problem behind an admission's refusal, told by its text: the API gives no code for it."""
    is_quota = "exceeded quota" in message or "failed quota" in message
    reason = reasons.Reason.QuotaExceeded if is_quota else reasons.Reason.PodsRefused
    return Problem(reason=reason, message=message, about_model=False)


def _ended_before(pod: observed.Pod, since: datetime | None) -> bool:
    ended_at = pod.ended_at or pod.created_at
    if since is None or ended_at is None or pod.phase != "Failed":
        return False
    return ended_at < since.replace(microsecond=0)


def _of_pod(pod: observed.Pod) -> Iterator[Problem]:
    for kill in kills.seen([pod]):
        yield _killed(kill)
    if kills.is_memory_eviction(pod) and not kills.is_over_request(pod):
        text = f"pod {pod.meta.name} was evicted and is not to blame: {pod.message.strip()}"
        yield Problem(reason=reasons.Reason.NodeMemoryPressure, message=text, about_model=False)
    if pod.unschedulable_message:
        yield _unschedulable(pod)
    for container in pod.containers:
        if container.waiting_reason in _IMAGE_WAITING:
            yield _waiting(reasons.Reason.ImagePull, pod, container)
        elif container.waiting_reason in _CONFIG_WAITING:
            yield _waiting(reasons.Reason.PodsRefused, pod, container)
        elif container.name == constants.CONTAINER_INSPECT:
            yield from _inspected(pod, container)
        elif container.name == constants.CONTAINER_SERVER:
            yield from _crashed(pod, container)


def _killed(kill: kills.Kill) -> Problem:
    where, cause = f"container {kill.container} of pod {kill.pod}", ""
    match kill.kind:
        case reasons.KillKind.OOMKilled | reasons.KillKind.ExitCode137 | reasons.KillKind.Evicted:
            text = f"{where} was killed for memory ({kill.kind})"
        case reasons.KillKind.BadAlloc:
            text = f"{where} got no more memory and aborted (std::bad_alloc)"
        case reasons.KillKind.AllocationFailed:
            cause = causes.Cause.AllocationFailed
            text = f"{where} got no memory for a tensor while the model was loaded"
        case reasons.KillKind.GpuAllocationFailed:
            cause = causes.Cause.GpuAllocationFailed
            text = f"{where} got no memory of the GPU while the model was loaded: {causes.REMEDIES[cause]}"
    return Problem(
        reason=reasons.Reason.OOMKilled, message=text, about_model=True, kill=kill, cause=str(cause)
    )


def _waiting(reason: reasons.Reason, pod: observed.Pod, container: observed.Container) -> Problem:
    text = f"container {container.name} of pod {pod.meta.name}: {container.waiting_reason}: {container.waiting_message}"
    return Problem(reason=reason, message=text, about_model=False)


def _unschedulable(pod: observed.Pod) -> Problem:
    text = pod.unschedulable_message
    if any(words in text for words in _ELSEWHERE):
        reason = reasons.Reason.VolumeNodeConflict
    elif "unbound immediate PersistentVolumeClaims" in text:
        reason = reasons.Reason.ClaimNotBound
    elif "persistentvolumeclaim" in text and "not found" in text:
        reason = reasons.Reason.ClaimMissing
    else:
        reason = reasons.Reason.Unschedulable
    return Problem(reason=reason, message=f"pod {pod.meta.name}: {text}", about_model=False)


def _inspected(pod: observed.Pod, container: observed.Container) -> Iterator[Problem]:
    ended = container.terminated or container.last_terminated
    if ended is None or ended.exit_code == 0:
        return
    if ended.reason == "OOMKilled" or ended.exit_code == kills.SIGKILL_EXIT_CODE:
        if pod.phase == "Failed":
            return  # the kubelet ended the whole pod
        text = f"container {container.name} of pod {pod.meta.name} ran out of its own memory; the model is not to blame"
        yield Problem(reason=reasons.Reason.InspectorOOM, message=text, about_model=False)
        return
    report = inspection.parse_termination_message(ended.message)
    if report is None or not report.reason:
        text = f"container {container.name} of pod {pod.meta.name} ended with exit code {ended.exit_code}"
        yield Problem(reason=reasons.Reason.InspectionFailed, message=text, about_model=False)
        return
    if report.reason not in set(reasons.Reason):  # a newer inspector's
        yield Problem(reason=reasons.Reason.InspectionFailed, message=report.message, about_model=False)
        return
    reason = reasons.Reason(report.reason)
    yield Problem(
        reason=reason, message=report.message, about_model=reason is reasons.Reason.MemoryBelowFloor
    )


def _crashed(pod: observed.Pod, container: observed.Container) -> Iterator[Problem]:
    ended = container.terminated or container.last_terminated
    if ended is None or (ended.exit_code == 0 and container.running):
        return
    if (
        pod.phase == "Failed"
        or ended.reason in _NODES_END
        or kills.kind_of(pod, container, ended) is not None
    ):
        return
    if ended.exit_code in {kills.SIGKILL_EXIT_CODE, kills.SIGTERM_EXIT_CODE}:
        text = (
            f"container {container.name} of pod {pod.meta.name} was ended from outside (exit code {ended.exit_code}): "
            "by a probe that an admission of the cluster has added, or by a person; the model is not to blame"
        )
        yield Problem(reason=reasons.Reason.ServerKilled, message=text, about_model=False)
        return
    failed_load = kills.LOAD_FAILED in ended.message
    reason = reasons.Reason.ModelLoadFailed if failed_load else reasons.Reason.ServerCrashed
    crashes = container.restart_count + (1 if container.terminated else 0)
    text = (
        f"tensorflow_model_server in pod {pod.meta.name} ended {crashes} time(s) by itself, "
        f"last with exit code {ended.exit_code}; its own log says why: kubectl logs {pod.meta.name} -c server --previous"
    )
    cause = causes.of_error(ended.message)
    if cause is not None:
        text += f". {cause}: {causes.REMEDIES[cause]}"
    yield Problem(
        reason=reason, message=text, about_model=crashes >= CRASHES_TO_REJECT, cause=str(cause or "")
    )


def inspection_of(pods: Iterable[observed.Pod]) -> inspection.Inspection | None:
    """What the inspect container of the first pod that has run it said, also where it is to run again."""
    for pod in pods:
        for container in pod.containers:
            ended = container.terminated or container.last_terminated
            if container.name == constants.CONTAINER_INSPECT and ended is not None:
                report = inspection.parse_termination_message(ended.message)
                if report is not None:
                    return report
    return None
