"""Model servers that ended for want of memory, in whatever way, as their pods show it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tfserving_operator.api import constants, reasons
from tfserving_operator.core import allocations, observed

SIGKILL_EXIT_CODE: Final = 137
"""128 + SIGKILL."""
SIGTERM_EXIT_CODE: Final = 143
"""128 + SIGTERM: the kubelet, or a person, asked the server to end."""
ABORT_EXIT_CODE: Final = 134
"""128 + SIGABRT."""
LOAD_FAILED: Final = "Failed to start server"
"""What tensorflow_model_server says before it ends because the model could not be loaded."""

AGAINST_THE_LIMIT: Final = frozenset(reasons.KillKind) - {
    reasons.KillKind.Evicted,
    reasons.KillKind.GpuAllocationFailed,
}
"""Kinds that show that a memory limit was too low: a node evicts by the request, and a GPU has its own memory."""

_EVICTED_FOR_MEMORY: Final = re.compile(r"low on resource: memory\b")
_BEYOND_REQUEST: Final = f"Container {constants.CONTAINER_SERVER} was using"
"""The kubelet names in an eviction's message only the containers that used more than their request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """A model server that ended for want of memory."""

    pod: str
    container: str
    kind: reasons.KillKind
    time: datetime | None
    container_id: str = ""
    """Of the container that ended, "" for a pod as a whole: with the pod's name, it is the kill's identity."""
    size_bytes: int | None = None
    """What an allocator was asked for, where it told."""


def seen(pods: Iterable[observed.Pod]) -> tuple[Kill, ...]:
    """Every kill of a model server that its pods still show: the present and the last end of each."""
    return tuple(kill for pod in pods if not pod.meta.deleting for kill in _of_pod(pod))


def kind_of(
    pod: observed.Pod, container: observed.Container, ended: observed.Termination
) -> reasons.KillKind | None:
    """In which way a container ran out of memory, None when it ended otherwise.

    The runtime may lose the kernel's word that it killed for memory. A SIGKILL without it still is the kernel's
    where nobody else sends one: the kubelet does when it ends the whole pod, or after a probe that failed; the
    pods have none but for those that an admission of the cluster has added.
    """
    if ended.reason == "OOMKilled":
        return reasons.KillKind.OOMKilled
    if pod.phase == "Failed":
        return None
    if ended.exit_code == SIGKILL_EXIT_CODE and ended.reason == "Error":
        return None if container.has_killing_probe else reasons.KillKind.ExitCode137
    if ended.exit_code == ABORT_EXIT_CODE and allocations.BAD_ALLOC in ended.message:
        return reasons.KillKind.BadAlloc
    refused = _refused_load(ended)
    if refused is None:
        return None
    return reasons.KillKind.GpuAllocationFailed if refused.on_gpu else reasons.KillKind.AllocationFailed


def is_over_request(pod: observed.Pod) -> bool:
    """Whether the server of a pod that was evicted had used more memory than its request."""
    return _BEYOND_REQUEST in pod.message


def is_memory_eviction(pod: observed.Pod) -> bool:
    """Whether a node ended the pod because its own memory ran out."""
    return pod.reason == "Evicted" and _EVICTED_FOR_MEMORY.search(pod.message) is not None


def _of_pod(pod: observed.Pod) -> Iterator[Kill]:
    is_killed = False
    for container in pod.containers:
        if container.name != constants.CONTAINER_SERVER:
            continue
        for ended in (container.last_terminated, container.terminated):
            kind = kind_of(pod, container, ended) if ended is not None else None
            if ended is None or kind is None:
                continue
            is_killed = is_killed or ended is container.terminated
            refused = _refused_load(ended)
            yield Kill(
                pod=pod.meta.name,
                container=container.name,
                kind=kind,
                time=ended.finished_at or pod.created_at,
                container_id=ended.container_id,
                size_bytes=refused.size_bytes if refused is not None else None,
            )
    if is_memory_eviction(pod) and is_over_request(pod) and not is_killed:
        yield Kill(
            pod=pod.meta.name,
            container=constants.CONTAINER_SERVER,
            kind=reasons.KillKind.Evicted,
            time=pod.ended_at or pod.created_at,
        )


def _refused_load(ended: observed.Termination) -> allocations.Refusal | None:
    """The allocation that failed while the model was loaded; lines before it may tell of requests."""
    _, found, said = ended.message.partition(LOAD_FAILED)
    return allocations.refusal(said) if found else None
