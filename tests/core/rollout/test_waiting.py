"""What waits, ends or says why: no state is for ever in silence, and old evidence is none."""

from dataclasses import replace
from datetime import timedelta

from tests.support import worlds
from tfserving_operator.api import reasons

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass


def unready(world: worlds.World, revision: str, count: int | None = None) -> None:
    pods = world.pods[revision]
    count = len(pods) if count is None else count
    world.pods[revision] = (*(replace(p, ready=False) for p in pods[:count]), *pods[count:])


def evict(world: worlds.World, revision: str) -> None:
    """The kubelet ends the first pod, which stays to be seen; the ReplicaSet makes another one."""
    index = next(i for i, p in enumerate(world.pods[revision]) if p.phase != "Failed")
    text = "The node was low on resource: memory. Container server was using 3Gi, request is 1Gi"
    world.pod_number += 1
    fresh = worlds.make_pod(f"{revision}-{world.pod_number}", revision, world.now)
    pods = [*world.pods[revision], fresh]
    pods[index] = replace(
        pods[index], phase="Failed", ready=False, reason="Evicted", message=text, ended_at=world.now
    )
    world.pods[revision] = tuple(pods)
    world.settle()


def test_a_missing_claim_stalls_in_time_by_itself():
    world = worlds.World(worlds.make_spec(1), claim=None)
    world.settle()
    assert world.wake is not None
    world.after(world.wake)
    assert world.condition("Stalled") == ("True", "ClaimMissing")


def test_scaled_to_zero_while_tested_is_no_delay(serving):
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.apply(2, replicas=0)
    serving.after(4000)
    assert serving.condition("Stalled") == ("False", "NotStalled")
    assert serving.condition("Ready") == ("False", "ScaledToZero")
    serving.apply(2)
    assert serving.condition("Stalled") == ("False", "NotStalled")
    assert "DeadlineExceeded" not in [e.reason for e in serving.events]
    serving.become_ready(serving.status.active_revision.name)
    serving.roll_out()
    assert serving.active_version() == 2


def test_a_step_back_waits_at_zero_too(serving):
    serving.apply(2, resources={"limits": {"memory": "256Mi"}})
    second = serving.roll_out()
    for _ in range(2):
        serving.after(10)
        serving.kill(second)
    small = {"resources": {"limits": {"memory": "256Mi"}}, "rollout": {"paused": True}}
    serving.apply(2, **small, replicas=0)
    assert serving.replicas() == {1: 0, 2: 0}


def test_a_bake_whose_pods_do_not_come_says_why_and_stalls(serving):
    serving.apply(2)
    second = serving.roll_out(bake=False)
    serving.apply(2, replicas=3)
    serving.pods[second] = (
        *serving.pods[second][:2],
        replace(serving.pods[second][2], unschedulable_message="0/1 nodes are available"),
    )
    serving.after(61)
    assert serving.condition("Ready") == ("False", "Unschedulable")
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.after(300)
    assert serving.condition("Stalled") == ("True", "Unschedulable")
    serving.become_ready(second)
    serving.answer(PASS)
    serving.after(60)
    assert serving.condition("Stalled") == ("False", "NotStalled")


def test_a_kill_in_the_bake_is_not_forgotten_while_the_previous_revision_is_away(serving):
    first = serving.status.active_revision.name
    serving.apply(2)
    second = serving.roll_out(bake=False)
    unready(serving, first)
    serving.kill(second)
    serving.pods[second] = tuple(replace(p, ready=True) for p in serving.pods[second])
    serving.after(61)
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    assert "RevisionReady" not in [e.reason for e in serving.events[3:]]


def test_a_kill_in_the_bake_flips_back_once_the_previous_revision_is_back(serving):
    first = serving.status.active_revision.name
    serving.apply(2)
    second = serving.roll_out(bake=False)
    unready(serving, first)
    serving.kill(second)
    assert serving.active_version() == 2
    serving.become_ready(first)
    assert serving.active_version() == 1


def test_the_previous_revision_named_again_is_not_flipped_to_while_it_is_away(serving):
    first = serving.status.active_revision.name
    serving.apply(2)
    second = serving.roll_out(bake=False)
    unready(serving, first)
    serving.apply(1)
    assert serving.selected() == second
    serving.become_ready(first)
    assert serving.selected() == first


def test_an_eviction_of_long_ago_does_not_reject_a_retry(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    evict(serving, name)
    assert serving.status.rejected_revisions[0].reason == "OOMKilled"
    assert [p.phase for p in serving.pods[name]] == ["Failed"]
    serving.now += timedelta(seconds=100)
    serving.apply(2, rollout={"retryToken": "again", "bakeSeconds": 60})
    assert serving.status.candidate_revision is not None
    assert serving.status.rejected_revisions == ()


def test_evictions_after_the_bake_count(serving):
    """The pods that were promoted are older than their promotion; what counts is when they ended."""
    serving.apply(2, resources={"limits": {"memory": "256Mi"}})
    second = serving.roll_out()
    for _ in range(2):
        serving.after(10)
        evict(serving, second)
    assert len(serving.status.resources.recent_ooms) == 2
    assert serving.status.candidate_revision.version == 1


def test_a_revision_named_again_is_not_judged_by_what_its_old_pods_tell(serving):
    """Version 1 is warm, was killed once, and is named again in the bake of version 2."""
    first = serving.status.active_revision.name
    serving.apply(2)
    serving.roll_out(bake=False)
    serving.kill(first)
    serving.apply(1)
    assert serving.status.rejected_revisions == ()
    assert serving.active_version() == 2
    serving.after(61)
    serving.answer(PASS)
    serving.after(60)
    serving.roll_out()
    assert serving.active_version() == 1
    assert serving.status.rejected_revisions == ()
