"""An operator whose hash algorithm is newer than the one that named the revisions, at every step of a rollout."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons
from tfserving_operator.core import revisions

Walk = list[Callable[[worlds.World], Any]]

PASS, FAIL = reasons.Verdict.Pass, reasons.Verdict.Fail
WALK: Walk = [
    lambda world: world.become_ready(world.status.candidate_revision.name),
    lambda world: world.answer(PASS),
    lambda world: world.after(3),
    lambda world: world.answer(PASS),
    lambda world: world.after(60),
    lambda world: world.answer(PASS),
    lambda world: world.after(1),
]
"""From pods that start to Ready."""

OLDER = revisions.KNOWN[0]
NEWER = replace(OLDER, letter="z")


def upgrade(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(revisions, "KNOWN", (NEWER, OLDER))


@pytest.mark.parametrize("done", range(len(WALK) + 1))
def test_an_upgrade_in_mid_flight_changes_no_action_and_no_word_of_the_status(
    done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walked(upgraded_after: int | None) -> worlds.World:
        world = worlds.World(worlds.make_spec(1))
        world.settle()
        world.roll_out()
        world.apply(2)
        for number, step in enumerate(WALK):
            if number == upgraded_after:
                upgrade(monkeypatch)
                world.settle()
            step(world)
        if upgraded_after == len(WALK):
            upgrade(monkeypatch)
            world.settle()
        return world

    without, with_it = walked(None), walked(done)
    assert with_it.done == without.done
    assert with_it.status == without.status
    assert with_it.events == without.events


def test_a_rejected_revision_stays_rejected_under_its_old_name(
    serving: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "IdenticalOutputs", "all answers are alike")
    before, status = len(serving.done), serving.status
    upgrade(monkeypatch)
    serving.after(3600)
    assert serving.done[before:] == []
    assert serving.status == status


def test_a_new_version_gets_a_name_of_the_newer_algorithm_and_the_way_back_leads_to_the_old_pods(
    serving: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = serving.selected()
    upgrade(monkeypatch)
    serving.apply(2)
    new = serving.roll_out(bake=False)
    assert new.startswith(f"digits-{NEWER.letter}")
    serving.apply(1)
    assert serving.selected() == old
    assert set(serving.deployments) == {old, new}
