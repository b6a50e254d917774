"""A rollout can be followed by the log's lines about statuses alone."""

from tests.support import worlds
from tfserving_operator.api import reasons, status
from tfserving_operator.reconcile import telling


def told(world: worlds.World, before: status.Status) -> dict[str, object]:
    return dict(telling.build_line(before, world.status, changed=["phase", "conditions"]))


def serving() -> worlds.World:
    world = worlds.World(worlds.make_spec(1))
    world.settle()
    world.roll_out()
    return world


def test_a_line_names_the_phases_and_both_revisions_with_their_versions() -> None:
    world = serving()
    before, old = world.status, world.selected()
    world.apply(2)
    assert told(world, before) == {
        "phase": "Starting",
        "before": "Ready",
        "generation": before.observed_generation + 1,
        "changed": ["conditions", "phase"],
        "reason": "RevisionStarting",
        "active": old,
        "activeVersion": 1,
        "candidate": world.status.candidate_revision.name,
        "candidateVersion": 2,
        "step": "Starting",
    }


def test_a_line_about_a_rejection_says_why() -> None:
    world = serving()
    world.apply(2)
    world.become_ready(world.status.candidate_revision.name)
    before = world.status
    world.answer(reasons.Verdict.Fail, "IdenticalOutputs", "all answers are alike")
    line = told(world, before)
    assert (line["before"], line["phase"], line["stalled"]) == ("Testing", "RolledBack", "RolledBack")
    assert "IdenticalOutputs: all answers are alike" in str(line["message"])
    assert "candidate" not in line


def test_a_line_about_the_first_status_has_no_revision_to_name() -> None:
    line = telling.build_line(status.Status(), status.Status(), changed=[])
    assert line.keys() == {"phase", "before", "generation", "changed"}
