"""Tests of what serves: again and again, of new pods, with changed cases; each is told once, and none hides another."""

from datetime import timedelta

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons
from tfserving_operator.core import actions
from tfserving_operator.core.smoke import plans

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass
CASES = {"cases": [{"name": "one", "instances": [[0.0]]}]}
REPEATING = {"smoke": {**CASES, "repeatSeconds": 100}}
CHANGED = {"cases": [{"name": "two", "instances": [[5.0]]}], "repeatSeconds": 0}


@pytest.fixture
def repeating() -> worlds.World:
    """Version 1 is Ready and tested every 100 s; the first of those passed."""
    world = worlds.World(worlds.make_spec(1, **REPEATING))
    world.settle()
    world.roll_out()
    world.after(100)
    world.answer(PASS)
    return world


def reject_second(world: worlds.World, **changes: object) -> None:
    world.apply(2, **changes)
    world.become_ready(world.status.candidate_revision.name)
    world.answer(FAIL, "GoldenMismatch")


def told(world: worlds.World, reason: str) -> int:
    return len([e for e in world.events if e.reason == reason])


def test_a_new_pod_that_fails_is_told_once_and_stays_told(repeating):
    repeating.after(10)
    repeating.apply(1, **REPEATING, replicas=2)
    repeating.become_ready(repeating.status.active_revision.name)
    repeating.answer(FAIL, "GoldenMismatch")
    for _ in range(5):
        repeating.after(5)
    assert told(repeating, "GoldenMismatch") == 1
    assert repeating.condition("SmokeTestPassed") == ("False", "GoldenMismatch")
    repeating.after(100)
    repeating.answer(PASS)
    assert repeating.condition("SmokeTestPassed") == ("True", "Passed")


def test_a_new_pod_that_fails_beside_a_repeated_test_does_not_reset_its_count(repeating):
    repeating.apply(2, **REPEATING)
    repeating.roll_out()
    repeating.after(100)
    repeating.apply(2, **REPEATING, replicas=2)
    repeating.become_ready(repeating.status.active_revision.name)
    repeating.answer(FAIL, "GoldenMismatch")
    repeating.answer(FAIL, "GoldenMismatch")
    assert repeating.status.candidate_revision.purpose is reasons.Purpose.Rollback


def test_a_pass_of_what_serves_does_not_hide_the_failure_of_the_newest(repeating):
    reject_second(repeating, **REPEATING)
    repeating.after(100)
    repeating.answer(PASS)
    repeating.after(100)
    repeating.answer(PASS)
    assert repeating.condition("SmokeTestPassed") == ("False", "GoldenMismatch")


def test_changed_cases_are_tested_also_after_another_revision_was_rejected(serving):
    reject_second(serving)
    serving.apply(1, smoke=CHANGED)
    assert list(serving.requests.values())[-1].purpose is plans.TestPurpose.CasesChanged
    serving.answer(FAIL, "GoldenMismatch")
    assert serving.condition("SmokeTestPassed") == ("False", "CasesChanged")
    assert serving.active_version() == 1
    count = len(serving.requests)
    serving.after(1000)
    assert len(serving.requests) == count


def test_the_same_cases_are_not_tested_again_after_another_revision_was_rejected(serving):
    reject_second(serving)
    count = len(serving.requests)
    serving.apply(1)
    assert len(serving.requests) == count


def test_a_repeated_failure_does_not_pass_for_the_test_of_changed_cases(repeating):
    repeating.after(95)
    changed = {"smoke": {**CHANGED, "repeatSeconds": 100}}
    repeating.apply(1, **changed)
    repeating.after(5)
    running = [r.purpose for k, r in repeating.requests.items() if repeating.tests[k].outcome is None]
    assert set(running) == {plans.TestPurpose.CasesChanged, plans.TestPurpose.Repeat}
    pins = len([a for a in repeating.done if isinstance(a, actions.PinCases)])
    held = {k: s for k, s in repeating.tests.items() if ":".join(k.split(":")[:1]) == "CasesChanged"}
    for key in held:
        del repeating.tests[key]
    repeating.answer(FAIL, "GoldenMismatch")
    repeating.answer(PASS)
    assert len([a for a in repeating.done if isinstance(a, actions.PinCases)]) == pins + 1


def test_changed_cases_that_cannot_decide_are_no_failure(serving):
    serving.apply(1, smoke=CHANGED)
    serving.answer(reasons.Verdict.Inconclusive, "Inconclusive", "one case only")
    assert serving.condition("SmokeTestPassed") == ("Unknown", "Inconclusive")
    assert told(serving, "CasesChanged") == 0
    assert serving.condition("Ready") == ("True", "RevisionReady")


def test_changed_cases_that_cannot_be_tested_leave_it_ready_and_are_tried_again(serving):
    serving.apply(1, smoke=CHANGED)
    serving.answer(None, "CasesMissing", "configmap goldens is not there")
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert serving.condition("SmokeTestPassed") == ("Unknown", "CasesMissing")
    writes = serving.status_writes
    serving.after(100)
    serving.answer(None, "CasesMissing", "configmap goldens is not there")
    assert serving.status_writes == writes
    serving.after(100)
    serving.answer(PASS)
    assert serving.condition("SmokeTestPassed") == ("True", "Passed")


def test_slow_tests_in_the_bake_are_waited_for(serving):
    serving.apply(2, rollout={"bakeSeconds": 600})
    serving.roll_out(bake=False)
    for _ in range(2):
        serving.after(45)
        serving.after(45)
        running = [k for k, s in serving.tests.items() if s.outcome is None]
        assert len(running) == 1
        serving.answer(FAIL, "GoldenMismatch")
    assert serving.active_version() == 1


def test_an_adopted_promotion_is_not_judged_by_an_earlier_failure(serving):
    serving.apply(2)
    second = serving.roll_out(bake=False)
    serving.after(3)
    for _ in range(2):
        serving.answer(FAIL, "GoldenMismatch")
    assert serving.active_version() == 1
    serving.apply(2, rollout={"retryToken": "again", "bakeSeconds": 60})
    serving.become_ready(second)
    for key, state in list(serving.tests.items()):
        if state.outcome is None:
            serving.crash_at = serving.decisions + 1
            serving.answer(PASS)
            assert key not in serving.tests
    assert serving.active_version() == 2
    assert serving.condition("SmokeTestPassed") == ("True", "Passed")


def hold_second(world: worlds.World) -> None:
    """Version 2 waits for a person, its test told in every decision."""
    world.apply(2, **REPEATING)
    world.become_ready(world.status.candidate_revision.name)
    world.answer(reasons.Verdict.Inconclusive, "Inconclusive", "one case only")


def test_a_new_pod_that_fails_beside_a_held_candidate_is_told_once(repeating):
    hold_second(repeating)
    first = repeating.status.active_revision.name
    repeating.pods[first] = ()
    repeating._run_pods(repeating.deployments[first])
    repeating.now += timedelta(seconds=1)
    repeating.become_ready(first)
    repeating.answer(FAIL, "GoldenMismatch")
    for _ in range(3):
        repeating.after(5)
    assert told(repeating, "GoldenMismatch") == 1


def test_repeated_failures_beside_a_held_candidate_step_back(repeating):
    repeating.apply(2, **REPEATING)
    repeating.roll_out()
    repeating.apply(3, **REPEATING)
    repeating.become_ready(repeating.status.candidate_revision.name)
    repeating.answer(reasons.Verdict.Inconclusive, "Inconclusive", "one case only")
    repeating.after(100)
    repeating.answer(FAIL, "GoldenMismatch")
    repeating.answer(FAIL, "GoldenMismatch")
    assert repeating.status.candidate_revision.purpose is reasons.Purpose.Rollback
