"""What became of a version is read from the status, and only from one that is about it."""

import copy

import pytest

from local.demo import steps
from local.demo.board import Board, Outcome
from tfserving_operator.api import reasons, status

NOW = "2026-01-01T00:00:00Z"


def condition(kind, value, reason):
    return {"type": kind, "status": value, "reason": reason, "message": "", "lastTransitionTime": NOW}


def revision(version, **more):
    return {"name": f"digits-{version}", "version": version, "since": NOW, **more}


READY_ON_1 = {
    "observedGeneration": 1,
    "phase": "Ready",
    "activeRevision": revision(1),
    "conditions": [condition("Ready", "True", "RevisionReady")],
}
REJECTED_2 = {
    "observedGeneration": 2,
    "phase": "RolledBack",
    "activeRevision": revision(1),
    "rejectedRevisions": [
        {
            "name": "digits-2",
            "version": 2,
            "reason": "IdenticalOutputs",
            "cause": "x",
            "message": "m",
            "time": NOW,
        }
    ],
    "conditions": [condition("Ready", "False", "RolledBack"), condition("Stalled", "True", "RolledBack")],
}
BAKING_5 = {
    "observedGeneration": 3,
    "phase": "Baking",
    "activeRevision": revision(5),
    "candidateRevision": revision(5, step="Baking"),
    "conditions": [condition("Ready", "False", "Baking")],
}


@pytest.mark.parametrize("wire", [READY_ON_1, REJECTED_2, BAKING_5])
def test_the_samples_are_statuses_of_the_operator(wire):
    parsed = status.Status.model_validate(wire)
    assert parsed.observed_generation == wire["observedGeneration"]
    assert set(wire) <= set(parsed.to_wire())


def ending(wire, *, version, generation, was_active=False):
    return steps.ending_of(wire, version=version, generation=generation, was_active=was_active)


def test_ready_on_the_version_is_a_promotion():
    found = ending(READY_ON_1, version=1, generation=1)
    assert (found.outcome, found.reason) == (Outcome.Promoted, "RevisionReady")


def test_an_older_status_says_nothing():
    assert ending(READY_ON_1, version=1, generation=2) is None
    assert ending({}, version=1, generation=1) is None


def test_ready_on_another_version_says_nothing():
    assert ending(READY_ON_1, version=2, generation=1) is None


def test_the_bake_is_no_ending():
    assert ending(BAKING_5, version=5, generation=3, was_active=True) is None


def test_a_rejection_of_a_version_that_never_served_is_rejected_with_reason_and_cause():
    assert ending(REJECTED_2, version=2, generation=2) == steps.Ending(
        outcome=Outcome.Rejected, reason="IdenticalOutputs", cause="x", message="m"
    )


def test_a_rejection_of_a_version_that_served_is_a_rollback():
    assert ending(REJECTED_2, version=2, generation=2, was_active=True).outcome is Outcome.RolledBack


def test_a_rejected_version_that_still_serves_is_not_at_its_end():
    wire = copy.deepcopy(REJECTED_2) | {"activeRevision": revision(2)}
    assert ending(wire, version=2, generation=2, was_active=True) is None


def test_a_rejection_of_another_version_says_nothing():
    assert ending(REJECTED_2, version=3, generation=2) is None


def test_the_reasons_that_are_expected_are_words_of_the_operator():
    assert {step.reason for step in steps.STEPS} <= set(reasons.Reason)


def test_the_board_notes_each_change_of_the_active_revision_once():
    board = Board()
    for wire in ({}, READY_ON_1, REJECTED_2, BAKING_5, READY_ON_1):
        board.see({"status": wire})
        board.see({"status": wire})
    assert [promotion.version for promotion in board.promotions] == [1, 5, 1]
    assert board.changed.is_set()
