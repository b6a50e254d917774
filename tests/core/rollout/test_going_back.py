"""The step back after the bake: what starts it, what may not stop it, and what it says."""

from dataclasses import replace

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass
SMALL = {"resources": {"limits": {"memory": "256Mi"}}}


@pytest.fixture
def smaller(serving: worlds.World) -> worlds.World:
    """Version 2 is Ready with half of version 1's memory."""
    serving.apply(2, **SMALL)
    serving.roll_out()
    return serving


def kill_twice(world: worlds.World) -> None:
    for _ in range(2):
        world.after(10)
        world.kill(world.status.active_revision.name)


def is_going_back(world: worlds.World) -> bool:
    candidate = world.status.candidate_revision
    return candidate is not None and candidate.purpose is reasons.Purpose.Rollback


def go_back(world: worlds.World) -> None:
    world.become_ready(world.status.candidate_revision.name)
    world.answer(PASS)


def test_an_invalid_spec_does_not_stop_it(smaller):
    kill_twice(smaller)
    smaller.apply(2, resources={"limits": {"memory": "500m"}})
    assert is_going_back(smaller)
    assert smaller.condition("Stalled") == ("True", "InvalidResources")
    go_back(smaller)
    assert smaller.active_version() == 1


def test_a_paused_next_revision_does_not_stop_it(smaller):
    smaller.apply(3, **SMALL, rollout={"paused": True})
    kill_twice(smaller)
    assert is_going_back(smaller)
    go_back(smaller)
    assert smaller.active_version() == 1
    assert smaller.status.candidate_revision.version == 3


def test_a_next_revision_that_is_held_does_not_stop_it(smaller):
    smaller.apply(3, **SMALL)
    smaller.become_ready(smaller.status.candidate_revision.name)
    smaller.answer(reasons.Verdict.Inconclusive, "Inconclusive", "one case only")
    kill_twice(smaller)
    assert is_going_back(smaller)
    go_back(smaller)
    assert smaller.active_version() == 1
    assert smaller.status.candidate_revision.version == 3


def test_a_next_revision_on_its_way_goes_first(smaller):
    smaller.apply(3)
    kill_twice(smaller)
    assert not is_going_back(smaller)


def test_an_autoscaler_gives_no_further_step(serving):
    """A change of the replicas is a new generation, and asks for nothing else."""
    for version, memory in ((2, "256Mi"), (3, "128Mi")):
        serving.apply(version, resources={"limits": {"memory": memory}})
        serving.roll_out()
    kill_twice(serving)
    go_back(serving)
    assert serving.active_version() == 2
    serving.apply(3, resources={"limits": {"memory": "128Mi"}}, replicas=2)
    serving.become_ready(serving.status.active_revision.name)
    kill_twice(serving)
    assert serving.status.candidate_revision is None


def test_an_autoscaler_does_not_lift_a_stall(serving):
    serving.apply(2)
    serving.roll_out()
    kill_twice(serving)
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    serving.apply(2, replicas=2)
    serving.become_ready(serving.status.active_revision.name)
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    assert len([e for e in serving.events if e.reason == "NoHealthyRevision"]) == 1


def test_an_autoscaler_does_not_begin_it_again(smaller):
    kill_twice(smaller)
    told = len(smaller.events)
    smaller.apply(2, **SMALL, replicas=2)
    assert is_going_back(smaller)
    assert len(smaller.events) == told


def test_it_says_what_failed_and_what_to_do_when_the_target_fails_too(smaller):
    kill_twice(smaller)
    smaller.become_ready(smaller.status.candidate_revision.name)
    smaller.answer(FAIL, "GoldenMismatch", "off by 3")
    stalled = next(c for c in smaller.status.conditions if c.type == "Stalled")
    for part in ("version 2", "set resources.limits.memory to 512Mi", "version 1", "off by 3"):
        assert part in stalled.message


def test_an_unknown_size_is_no_more_room(serving):
    """The pin of a revision whose inspector said no size is no reason to go back to it."""
    first = serving.status.active_revision.name
    pin = serving.config_maps[f"{first}-cases"]
    serving.config_maps[f"{first}-cases"] = replace(
        pin, annotations=tuple(a for a in pin.annotations if "model-bytes" not in a[0])
    )
    serving.apply(2)
    serving.roll_out()
    kill_twice(serving)
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")


def test_repeated_passes_end_a_stall_that_failed_tests_began():
    repeating = {"smoke": {"cases": [{"name": "one", "instances": [[0.0]]}], "repeatSeconds": 100}}
    world = worlds.World(worlds.make_spec(1, **repeating))
    world.settle()
    world.roll_out()
    world.after(100)
    world.answer(FAIL, "PredictionFailed", "503")
    world.answer(FAIL, "PredictionFailed", "503")
    assert world.condition("Stalled") == ("True", "NoHealthyRevision")
    world.after(100)
    world.answer(PASS)
    assert world.condition("Stalled") == ("False", "NotStalled")
    assert world.condition("Ready") == ("True", "RevisionReady")


def test_old_kills_of_many_pods_are_written_down_once(serving):
    serving.apply(1, replicas=3)
    name = serving.status.active_revision.name
    serving.become_ready(name)
    for _ in range(3):
        serving.after(1000)
        serving.kill(name)
        serving.pods[name] = (*serving.pods[name][1:], serving.pods[name][0])
    serving.become_ready(name)
    writes = serving.status_writes
    serving.after(1000)
    assert serving.status_writes == writes


def test_what_is_pruned_after_a_crash_leaves_nothing_behind(serving):
    """A Deployment is deleted last: it is what the rest is found by."""
    limited = {"rollout": {"bakeSeconds": 60, "revisionHistoryLimit": 1}}
    for version in (2, 3):
        serving.apply(version, **limited)
        serving.roll_out()
    deleted = [(a.kind, a.name) for a in serving.done if type(a).__name__ == "Delete"]
    assert [kind for kind, _ in deleted] == ["ConfigMap", "ConfigMap", "Deployment"]


def test_a_client_that_ends_every_revision_gets_one_step_and_then_a_word(serving):
    for version, memory in ((2, "256Mi"), (3, "128Mi")):
        serving.apply(version, resources={"limits": {"memory": memory}})
        serving.roll_out()
    kill_twice(serving)
    go_back(serving)
    assert serving.condition("Stalled") == ("True", "RolledBack")
    for _ in range(3):
        kill_twice(serving)
        serving.become_ready(serving.status.active_revision.name)
        assert serving.active_version() == 2
        assert serving.status.candidate_revision is None
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    stalled = next(c for c in serving.status.conditions if c.type == "Stalled")
    assert "version 2 fails too" in stalled.message
    assert "set resources.limits.memory to 512Mi" in stalled.message
    assert [e.reason for e in serving.events].count("NoHealthyRevision") == 1
    serving.apply(4)
    assert serving.condition("Stalled") == ("False", "NotStalled")


def test_a_gpus_memory_asks_for_no_revision_with_more_of_the_containers(serving):
    serving.apply(2)
    serving.roll_out()
    said = (
        "Failed to start server. Error: RESOURCE_EXHAUSTED: OOM when allocating tensor with shape[9] and type float"
        " on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
    )
    for _ in range(2):
        serving.after(10)
        serving.kill(serving.status.active_revision.name, reason="Error", exit_code=255, message=said)
    assert is_going_back(serving)
