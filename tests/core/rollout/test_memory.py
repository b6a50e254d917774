"""Servers that run out of memory, or are slow for want of it: what status says, and which limit to set."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import worlds
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import plans

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass
MI = 2**20
CPU = "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
TENSOR = "OOM when allocating tensor with shape[{}] and type float on {}"
LOAD = "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: RESOURCE_EXHAUSTED: "


@pytest.fixture
def starting() -> worlds.World:
    world = worlds.World(worlds.make_spec())
    world.settle()
    return world


def candidate(world: worlds.World) -> str:
    assert world.status.candidate_revision is not None
    return world.status.candidate_revision.name


def answer_without_memory(world: worlds.World, text: str, *, pod: str = "digits-x-1") -> None:
    """The running test ends: TensorFlow's allocator got no memory."""
    for key, state in world.tests.items():
        if state.outcome is None:
            outcome = plans.TestOutcome(
                verdict=FAIL,
                reason=reasons.Reason.OOMKilled,
                cause="AllocationFailed",
                message=f"pod {pod}, case one: HTTP 429: {text}",
                cases_digest="digest",
                pinned_cases=b"[]",
                started_at=state.started_at,
                finished_at=world.now,
                out_of_memory=True,
                starved_pod=pod,
            )
            world.tests[key] = plans.TestState(started_at=state.started_at, outcome=outcome)
    world.settle()


def kinds(world: worlds.World) -> list[tuple[str, str]]:
    assert world.status.resources is not None
    return [(k.kind, k.pod) for k in world.status.resources.recent_ooms]


# An allocator that gets no memory


def test_an_allocation_that_fails_in_a_test_is_remembered_with_the_limit_to_set(starting):
    starting.become_ready(candidate(starting))
    answer_without_memory(starting, TENSOR.format("67108864", CPU))
    (rejected,) = starting.status.rejected_revisions
    assert (rejected.reason, rejected.cause) == ("OOMKilled", "AllocationFailed")
    assert rejected.message.endswith("under its limit of 512Mi; set resources.limits.memory to 1Gi")
    assert kinds(starting) == [("AllocationFailed", "digits-x-1")]
    assert starting.status.resources.recommended_memory_limit == "1Gi"


def test_no_limit_is_recommended_for_a_tensor_that_no_machine_holds(starting):
    starting.become_ready(candidate(starting))
    answer_without_memory(starting, TENSOR.format("4000000,4000000", CPU))
    (rejected,) = starting.status.rejected_revisions
    assert "no memory limit is enough" in rejected.message
    assert kinds(starting) == [("AllocationFailed", "digits-x-1")]
    assert starting.status.resources.recommended_memory_limit is None


def test_no_limit_is_recommended_for_the_memory_of_a_gpu(starting):
    starting.become_ready(candidate(starting))
    answer_without_memory(starting, TENSOR.format("1024", GPU))
    (rejected,) = starting.status.rejected_revisions
    assert "resources.limits.memory does not help" in rejected.message
    assert kinds(starting) == [("GpuAllocationFailed", "digits-x-1")]
    assert starting.status.resources.recommended_memory_limit is None


def test_the_recommended_limit_holds_the_tensor_that_was_refused(starting):
    starting.kill(
        candidate(starting), reason="Error", exit_code=255, message=LOAD + TENSOR.format("805306368", CPU)
    )
    (rejected,) = starting.status.rejected_revisions
    assert (rejected.reason, rejected.cause) == ("OOMKilled", "AllocationFailed")
    assert starting.status.resources.recommended_memory_limit == "4480Mi"  # (512Mi + 3Gi) and a quarter


def test_a_refused_tensor_while_baking_goes_back_after_the_second_test(serving):
    serving.apply(2)
    serving.roll_out(bake=False)
    for seconds in (3, 31):
        serving.after(seconds)
        answer_without_memory(serving, TENSOR.format("67108864", CPU), pod="service/digits")
    assert serving.active_version() == 1
    assert serving.status.rejected_revisions[0].reason == "OOMKilled"
    assert "set resources.limits.memory to 1Gi" in serving.status.rejected_revisions[0].message


# Limits that were not enough


def test_what_was_not_enough_for_a_version_is_not_forgotten_when_the_limit_is_lowered(starting):
    starting.kill(candidate(starting))
    assert starting.status.resources.recommended_memory_limit == "1Gi"
    starting.apply(1, resources={"limits": {"memory": "256Mi"}})
    starting.kill(candidate(starting))
    assert starting.status.resources.recommended_memory_limit == "1Gi"


def test_another_version_is_not_recommended_what_the_last_one_needed(starting):
    starting.kill(candidate(starting))
    starting.apply(2, resources={"limits": {"memory": "256Mi"}})
    starting.kill(candidate(starting))
    assert starting.status.resources.recommended_memory_limit == "512Mi"


def test_the_recommended_limit_is_not_below_what_the_floor_asks_for(starting):
    report(starting, floor=900 * MI, limit=512 * MI)
    starting.kill(candidate(starting))
    assert starting.status.resources.recommended_memory_limit == "1280Mi"


# Evictions and other ends


def evict(world: worlds.World, name: str, message: str) -> None:
    """The node runs out of memory: the kubelet ends the pod, and a ReplicaSet makes another one."""
    first, *rest = world.pods[name]
    ended = replace(first, phase="Failed", ready=False, reason="Evicted", message=message, ended_at=world.now)
    world.pod_number += 1
    made = worlds.make_pod(f"{name}-{world.pod_number}", name, world.now)
    world.pods[name] = (ended, *rest, made)
    world.settle()


LOW = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. "
USING = LOW + "Container server was using 3Gi, request is 1Gi, has larger consumption of memory. "


def test_an_eviction_within_the_request_holds_the_candidate_and_blames_nothing(starting):
    name = candidate(starting)
    evict(starting, name, LOW)
    assert starting.condition("Progressing") == ("True", "NodeMemoryPressure")
    assert starting.status.rejected_revisions == ()
    starting.roll_out()
    assert starting.condition("Ready") == ("True", "RevisionReady")
    assert starting.status.resources is None or starting.status.resources.last_oom is None


def test_a_pod_that_no_kubelet_has_looked_at_is_starting(starting):
    """As one is from its making on, for as long as it waits for a node: it has no status of any container."""
    name = candidate(starting)
    first, *rest = starting.pods[name]
    starting.pods[name] = (replace(first, phase="Pending", ready=False, containers=()), *rest)
    starting.settle()
    assert starting.condition("Progressing") == ("True", "RevisionStarting")


def test_an_eviction_beyond_the_request_rejects_the_candidate(starting):
    evict(starting, candidate(starting), USING)
    assert starting.status.rejected_revisions[0].reason == "OOMKilled"
    assert [kind for kind, _ in kinds(starting)] == ["Evicted"]
    limit = starting.status.resources.recommended_memory_limit
    assert limit == "512Mi", "the limit that it has: it was not too low"
    advice = f"set resources.requests.memory and resources.limits.memory to {limit}"
    assert advice in starting.status.rejected_revisions[0].message, "no limit alone keeps a pod on its node"


def test_an_eviction_within_the_request_ends_no_bake(serving):
    serving.apply(2)
    new = serving.roll_out(bake=False)
    evict(serving, new, LOW)
    assert serving.active_version() == 2


def test_a_server_that_is_ended_from_outside_ends_no_bake_and_is_named(serving):
    serving.apply(2)
    new = serving.roll_out(bake=False)
    for _ in range(3):
        serving.after(5)
        serving.kill(new, reason="Error", exit_code=143)
    assert serving.active_version() == 2
    serving.after(70)
    assert serving.condition("Progressing") == ("True", "ServerKilled")


# Hours later


def test_one_kill_every_few_hours_is_remembered_and_changes_nothing(serving):
    name = serving.status.active_revision.name
    for _ in range(20):
        serving.after(3 * 3600)
        serving.kill(name)
        serving.become_ready(name)
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert len(serving.status.resources.recent_ooms) == 16


def test_growth_that_kills_faster_and_faster_takes_one_step_back_hours_after_the_bake(serving):
    serving.apply(2, resources={"limits": {"memory": "256Mi"}})
    serving.roll_out()
    name = serving.status.active_revision.name
    for hours in (5.0, 2.0, 1.0, 0.5):
        serving.after(hours * 3600)
        serving.kill(name)
        serving.become_ready(name)
    assert serving.active_version() == 2
    assert serving.status.candidate_revision is None
    serving.after(500)
    serving.kill(name)
    assert serving.status.candidate_revision.purpose is reasons.Purpose.Rollback
    assert "2 kills for memory within 600 s" in serving.status.step_back.message


def test_one_replica_of_three_is_enough_in_the_bake_and_named(serving):
    serving.apply(2, replicas=3)
    new = serving.roll_out(bake=False)
    third = serving.pods[new][2]
    serving.pods[new] = (third, *serving.pods[new][:2])
    serving.kill(new)
    assert serving.active_version() == 1
    assert third.meta.name in serving.status.rejected_revisions[0].message


def test_kills_of_several_replicas_at_once_are_all_remembered(serving):
    serving.apply(2, replicas=3)
    new = serving.roll_out(bake=False)
    at = serving.now
    ended = worlds.make_termination("OOMKilled", 137, at)
    serving.pods[new] = tuple(
        replace(
            pod,
            ready=False,
            containers=(
                pod.containers[0],
                worlds.make_container("server", running=True, last_terminated=ended, restart_count=1),
            ),
        )
        for pod in serving.pods[new]
    )
    names = [pod.meta.name for pod in serving.pods[new]]
    serving.settle()
    assert sorted(kinds(serving)) == [("OOMKilled", name) for name in sorted(names)]


# A limit near the floor


def report(world: worlds.World, *, floor: int, limit: int, began: float = 0.0) -> None:
    """The inspector's report of the candidate's pods, and when their servers began to run."""
    seen = inspection.build(
        version=1, digest="sha256:abc", variable_bytes=MI, memory_floor=floor, memory_limit=limit
    )
    ended = worlds.make_termination("Completed", 0, world.now, inspection.render(seen).decode())
    inspect = worlds.make_container(constants.CONTAINER_INSPECT, init=True, terminated=ended)
    server = worlds.make_container(
        constants.CONTAINER_SERVER, running=True, started_at=world.now + timedelta(seconds=began)
    )
    name = candidate(world)
    world.pods[name] = tuple(replace(pod, containers=(inspect, server)) for pod in world.pods[name])
    world.settle()


def test_a_slow_start_near_the_floor_is_named_memory_pressure_with_the_limit_to_set(starting):
    report(starting, floor=62 * MI, limit=96 * MI)
    assert starting.condition("Progressing") == ("True", "RevisionStarting")
    assert starting.wake is not None
    assert 15 < starting.wake < 25
    starting.after(starting.wake)
    assert starting.condition("Progressing") == ("True", "MemoryPressure")
    held = next(c for c in starting.status.conditions if c.type == "Ready").message
    assert "near the 62Mi" in held
    assert "set resources.limits.memory to 256Mi" in held
    assert starting.status.resources.recommended_memory_limit == "256Mi"
    starting.after(300)
    assert starting.condition("Stalled") == ("True", "MemoryPressure")
    assert starting.status.rejected_revisions == ()


def test_memory_pressure_is_written_down_once_however_long_it_lasts(starting):
    report(starting, floor=62 * MI, limit=96 * MI)
    starting.after(30)
    writes = starting.status_writes
    for _ in range(5):
        starting.after(20)
    assert starting.status_writes == writes


def test_a_slow_start_with_room_is_a_plain_deadline(starting):
    report(starting, floor=62 * MI, limit=512 * MI)
    starting.after(400)
    assert starting.condition("Stalled") == ("True", "DeadlineExceeded")


def test_a_start_that_ends_well_is_forgiven(starting):
    report(starting, floor=62 * MI, limit=96 * MI)
    starting.after(30)
    assert starting.condition("Progressing") == ("True", "MemoryPressure")
    starting.roll_out()
    assert starting.condition("Ready") == ("True", "RevisionReady")


def test_a_test_that_gets_no_answers_in_time_near_the_floor_is_named_memory_pressure(starting):
    report(starting, floor=62 * MI, limit=96 * MI)
    name = candidate(starting)
    starting.pods[name] = tuple(replace(p, ready=True) for p in starting.pods[name])
    starting.settle()
    starting.now += timedelta(seconds=60)
    starting.answer(None, "TestCannotRun", "after 60 s, 3 of 10 predictions were answered")
    assert starting.condition("Progressing") == ("True", "MemoryPressure")
    assert starting.condition("SmokeTestPassed") == ("Unknown", "MemoryPressure")
    assert starting.status.resources.recommended_memory_limit == "256Mi"


def test_slow_predictions_near_the_floor_are_memory_pressure_too(starting):
    report(starting, floor=62 * MI, limit=96 * MI)
    name = candidate(starting)
    starting.pods[name] = tuple(replace(p, ready=True) for p in starting.pods[name])
    starting.settle()
    starting.answer(FAIL, "SlowPredictions", "the slowest case is one, with 9 s")
    (rejected,) = starting.status.rejected_revisions
    assert rejected.reason == "MemoryPressure"
    assert rejected.message.startswith("the slowest case is one, with 9 s: its limit of 512Mi is near")
    assert "set resources.limits.memory to 256Mi" in rejected.message
