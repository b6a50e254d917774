"""Model servers that ran out of memory, in each way, as the kubelet shows it; and ends that only look like it."""

from dataclasses import replace

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons
from tfserving_operator.core import health, kills, observed

R, K = reasons.Reason, reasons.KillKind
POD = worlds.make_pod("digits-a-1", "digits-a", worlds.START)
EVICTED = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. "
USING = "Container {} was using 3Gi, request is 1Gi, has larger consumption of memory. "
LOAD = "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {{name: m version: 1} due to error: "
NO_TENSOR = "RESOURCE_EXHAUSTED: OOM when allocating tensor with shape[67108864] and type float on {}"
CPU = "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
ABORT = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"


def ended(reason: str, exit_code: int, message: str = "", *, name: str = "server", **changes) -> observed.Pod:
    """A pod with a container that ended, and was started again, or waits to be."""
    termination = worlds.make_termination(reason, exit_code, worlds.START, message)
    container = worlds.make_container(name, last_terminated=termination, restart_count=1, **changes)
    others = tuple(c for c in POD.containers if c.name != name)
    return replace(POD, containers=(*others, container))


def failed(reason: str, message: str, exit_code: int = 137) -> observed.Pod:
    """A pod that the kubelet has ended as a whole."""
    termination = worlds.make_termination("Error", exit_code, worlds.START)
    server = worlds.make_container("server", terminated=termination)
    return replace(
        POD, phase="Failed", reason=reason, message=message, containers=(POD.containers[0], server)
    )


KINDS = {
    "the kernel, at the container's limit": (ended("OOMKilled", 137), K.OOMKilled),
    "seen only in CrashLoopBackOff": (
        ended("OOMKilled", 137, waiting_reason="CrashLoopBackOff"),
        K.OOMKilled,
    ),
    "a child of the entrypoint, whose shell ends with its code": (ended("OOMKilled", 1), K.OOMKilled),
    "a child of the entrypoint, that ends in order later": (ended("OOMKilled", 0), K.OOMKilled),
    "the kernel's word was lost": (ended("Error", 137), K.ExitCode137),
    "evicted beyond its request": (failed("Evicted", EVICTED + USING.format("server")), K.Evicted),
    "an abort for want of memory": (ended("Error", 134, ABORT), K.BadAlloc),
    "no tensor for the model's variables": (
        ended("Error", 255, LOAD + NO_TENSOR.format(CPU)),
        K.AllocationFailed,
    ),
    "no tensor on the GPU": (ended("Error", 255, LOAD + NO_TENSOR.format(GPU)), K.GpuAllocationFailed),
}


@pytest.mark.parametrize(("pod", "kind"), KINDS.values(), ids=KINDS.keys())
def test_a_server_that_ran_out_of_memory_is_evidence_about_the_model(pod, kind):
    (kill,) = kills.seen([pod])
    assert (kill.pod, kill.container, kill.kind) == ("digits-a-1", "server", kind)
    (problem,) = health.problems(None, [pod])
    assert (problem.reason, problem.about_model, problem.kill) == (R.OOMKilled, True, kill)


NOT_THE_MODEL = {
    "evicted within its request": (failed("Evicted", EVICTED), R.NodeMemoryPressure),
    "evicted, a sidecar beyond its request": (
        failed("Evicted", EVICTED + USING.format("proxy")),
        R.NodeMemoryPressure,
    ),
    "evicted for the node's disk": (
        failed("Evicted", EVICTED.replace("memory", "ephemeral-storage") + USING.format("server")),
        None,
    ),
    "the node shuts down": (
        failed("Terminated", "Pod was terminated in response to imminent node shutdown."),
        None,
    ),
    "after the grace period of a probe that an admission has added": (
        ended("Error", 137, has_killing_probe=True),
        R.ServerKilled,
    ),
    "asked to end": (ended("Error", 143), R.ServerKilled),
    "the inspector": (ended("OOMKilled", 137, name="inspect", init=True), R.InspectorOOM),
    "the inspector, the kernel's word was lost": (
        ended("Error", 137, name="inspect", init=True),
        R.InspectorOOM,
    ),
    "a sidecar that an admission has added": (ended("OOMKilled", 137, name="proxy"), None),
    "an init container that an admission has added": (
        ended("OOMKilled", 137, name="proxy-init", init=True),
        None,
    ),
    "an abort of another kind": (ended("Error", 134, "Check failed: size > 0"), R.ServerCrashed),
    "a request that got no memory, before another end": (
        ended("Error", 255, NO_TENSOR.format(CPU) + "\n" + LOAD + "NOT_FOUND: no such file"),
        R.ModelLoadFailed,
    ),
}


@pytest.mark.parametrize(("pod", "reason"), NOT_THE_MODEL.values(), ids=NOT_THE_MODEL.keys())
def test_other_ends_are_no_kills_of_the_models(pod, reason):
    assert kills.seen([pod]) == ()
    found = health.problems(None, [pod])
    assert [(p.reason, p.about_model) for p in found] == ([(reason, False)] if reason else [])


def test_a_server_that_is_asked_to_end_again_and_again_is_not_to_blame():
    pod = replace(POD, containers=(POD.containers[0], ended("Error", 143).containers[-1]))
    server = replace(pod.containers[-1], restart_count=9)
    (problem,) = health.problems(None, [replace(pod, containers=(pod.containers[0], server))])
    assert not problem.about_model


def test_a_kill_that_is_followed_by_the_eviction_of_its_pod_is_one():
    pod = failed("Evicted", EVICTED + USING.format("server"))
    server = worlds.make_container(
        "server", terminated=worlds.make_termination("OOMKilled", 137, worlds.START)
    )
    (kill,) = kills.seen([replace(pod, containers=(pod.containers[0], server))])
    assert kill.kind is K.OOMKilled


@pytest.mark.parametrize("probe", ["livenessProbe", "startupProbe"])
def test_a_probe_that_the_kubelet_kills_for_is_seen_in_the_pod(probe):
    raw = {
        "metadata": {"name": "digits-a-1", "namespace": "vision", "uid": "u"},
        "spec": {"containers": [{"name": "server", probe: {}}, {"name": "proxy", "readinessProbe": {}}]},
        "status": {
            "containerStatuses": [
                {"name": name, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
                for name in ("server", "proxy")
            ]
        },
    }
    server, proxy = observed.pod_from_raw(raw).containers
    assert (server.has_killing_probe, proxy.has_killing_probe) == (True, False)
    assert server.started_at == worlds.START


def test_the_gpus_memory_is_told_apart_from_the_containers():
    (problem,) = health.problems(None, [KINDS["no tensor on the GPU"][0]])
    assert problem.cause == "GpuAllocationFailed"
    assert "resources.limits.memory does not help" in problem.message
