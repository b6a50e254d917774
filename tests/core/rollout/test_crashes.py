"""The operator dies after the actions of a decision and before its status write: the end is the same."""

from collections.abc import Callable

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons


def promoted(world: worlds.World) -> None:
    world.apply(2)
    drive(world)


def rejected(world: worlds.World) -> None:
    world.apply(2)
    drive(world, verdict=reasons.Verdict.Fail)


def rolled_back(world: worlds.World) -> None:
    world.apply(2)
    drive(world, kills=True)


def drive(
    world: worlds.World, *, verdict: reasons.Verdict = reasons.Verdict.Pass, kills: bool = False
) -> None:
    """Let pods become Ready and tests end until nothing more happens; a restarted operator asks again."""
    for _ in range(40):
        active = world.status.active_revision
        for name, pods in list(world.pods.items()):
            if any(not p.ready and p.containers[-1].restart_count == 0 for p in pods):
                world.become_ready(name)
        second = next((d.meta.name for d in world.deployments.values() if d.version == 2), "")
        world.answer(
            verdict if active is None or active.version == 1 else reasons.Verdict.Pass, "GoldenMismatch"
        )
        if kills and world.selected() == second and world.pods[second][0].containers[-1].restart_count == 0:
            world.kill(second)
        world.after(5)


@pytest.mark.parametrize("scenario", [promoted, rejected, rolled_back])
@pytest.mark.parametrize("crash_after", range(1, 16))
def test_a_crash_in_any_decision_leads_to_the_same_end(
    scenario: Callable[[worlds.World], None], crash_after: int
):
    ends = []
    for crashes in (False, True):
        world = worlds.World(worlds.make_spec(1))
        world.settle()
        world.roll_out()
        world.crash_at = world.decisions + crash_after if crashes else None
        scenario(world)
        end = world.status
        ends.append(
            (
                world.selected(),
                world.replicas(),
                end.phase,
                end.active_revision.name,
                end.candidate_revision,
                [(r.version, r.reason) for r in end.rejected_revisions],
                [(c.type, c.status, c.reason) for c in end.conditions],
            )
        )
    assert ends[0] == ends[1]
