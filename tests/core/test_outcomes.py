"""Ends of rollouts, as the statuses of real decisions tell them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons, status
from tfserving_operator.core import outcomes

FAIL = reasons.Verdict.Fail


class Counting(worlds.World):
    """A world that counts as the metrics do: after each status that was written."""

    def __init__(self) -> None:
        super().__init__(raw_spec=worlds.make_spec())
        self.rollouts: list[tuple[str, str, str]] = []
        self.steps: list[tuple[str, float]] = []
        self.kills: list[str] = []

    def step(self) -> bool:
        before = self.status
        moved = super().step()
        if end := outcomes.ended_rollout(before, self.status):
            self.rollouts.append((str(end.outcome), end.reason, end.cause))
        if step := outcomes.ended_step(before, self.status, self.now):
            self.steps.append((str(step.step), step.seconds))
        self.kills += outcomes.new_kills(before, self.status)
        return moved


@pytest.fixture
def world() -> Counting:
    made = Counting()
    made.settle()
    return made


@pytest.fixture
def serving(world: Counting) -> Counting:
    world.roll_out()
    world.rollouts.clear()
    world.steps.clear()
    return world


def test_a_rollout_to_its_end_is_counted_once_with_the_time_of_each_step(world: Counting) -> None:
    world.roll_out()
    world.after(600)
    assert world.rollouts == [("Ready", "", "")]
    assert [step for step, _ in world.steps] == ["Starting", "Testing", "Baking"]  # the others share a write
    assert dict(world.steps)["Starting"] == 5
    assert dict(world.steps)["Baking"] >= 60


def test_a_rejected_first_version_leaves_nothing_that_serves(world: Counting) -> None:
    world.become_ready(world.status.candidate_revision.name)
    world.answer(FAIL, "IdenticalOutputs", "all alike", cause="UnscaledInput")
    assert world.rollouts == [("Rejected", "IdenticalOutputs", "UnscaledInput")]


def test_a_rejected_next_version_is_a_rollback(serving: Counting) -> None:
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "GoldenMismatch", "far off")
    assert serving.rollouts == [("RolledBack", "GoldenMismatch", "")]


def test_a_kill_in_the_bake_is_a_rollback_and_one_kill(serving: Counting) -> None:
    serving.apply(2)
    name = serving.roll_out(bake=False)
    serving.kill(name)
    serving.after(1)
    assert serving.rollouts == [("RolledBack", "OOMKilled", "")]
    assert serving.kills == ["OOMKilled"]


def test_a_step_back_after_the_bake_is_counted_when_it_begins(serving: Counting) -> None:
    serving.apply(2, resources={"limits": {"memory": "256Mi"}})
    name = serving.roll_out()
    serving.rollouts.clear()
    for _ in range(2):
        serving.after(10)
        serving.kill(name)
    assert serving.rollouts == [("SteppedBack", "OOMKilled", "")]
    assert serving.kills == ["OOMKilled", "OOMKilled"]
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(reasons.Verdict.Pass)
    serving.after(200)
    assert len(serving.rollouts) == 1


def test_a_spec_that_changes_meanwhile_supersedes(serving: Counting) -> None:
    serving.apply(2)
    serving.apply(3)
    assert serving.rollouts == [("Superseded", "", "")]
    serving.roll_out()
    assert serving.rollouts == [("Superseded", "", ""), ("Ready", "", "")]


def test_statuses_that_are_alike_say_nothing(serving: Counting) -> None:
    assert outcomes.ended_rollout(serving.status, serving.status) is None
    assert outcomes.ended_step(serving.status, serving.status, serving.now) is None
    assert list(outcomes.new_kills(serving.status, serving.status)) == []


@pytest.mark.parametrize("read", [lambda end: end.reason, lambda end: end.cause])
def test_words_that_are_not_ours_become_one_label(
    serving: Counting, read: Callable[[outcomes.RolloutEnd], Any]
) -> None:
    serving.apply(2)
    before = serving.status
    candidate = before.candidate_revision
    assert candidate is not None
    made_up = status.Rejection(
        name=candidate.name, version=2, reason="Zorro", cause="was here", time=serving.now
    )
    after = before.model_copy(update={"candidate_revision": None, "rejected_revisions": (made_up,)})
    end = outcomes.ended_rollout(before, after)
    assert end is not None
    assert read(end) == outcomes.OTHER


def test_each_kind_of_a_lack_of_memory_is_counted_and_foreign_words_are_one() -> None:
    words = [*reasons.KillKind, "Hexed"]
    found = [
        status.OutOfMemory(
            revision="a", pod="p", container="server", kind=word, time=worlds.START, container_id=word
        )
        for word in words
    ]
    before = status.Status(resources=status.ResourcesStatus(recent_ooms=tuple(found[:1])))
    after = status.Status(resources=status.ResourcesStatus(recent_ooms=tuple(found), last_oom=found[-1]))
    assert sorted(outcomes.new_kills(before, after)) == sorted([*words[1:-1], outcomes.OTHER])
    assert list(outcomes.new_kills(after, after)) == []
