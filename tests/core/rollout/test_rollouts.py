"""Whole rollouts, decided in a simulated cluster."""

from dataclasses import replace

import pytest

from tests.support import worlds
from tfserving_operator.api import constants, reasons, status
from tfserving_operator.core import actions, snapshot
from tfserving_operator.core.smoke import plans

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass
INCONCLUSIVE = reasons.Verdict.Inconclusive


def test_a_first_version_gets_no_traffic_before_it_passed(world):
    assert world.status.phase is reasons.Phase.Starting
    world.become_ready(world.status.candidate_revision.name)
    assert world.status.phase is reasons.Phase.Testing
    assert world.selected() == "none"
    assert world.condition("Available") == ("False", "NoActiveRevision")
    world.answer(PASS)
    assert world.selected() == world.status.active_revision.name
    assert world.condition("Ready") == ("False", "Baking")
    assert world.condition("Available") == ("True", "Serving")


def test_a_create_stays_within_its_budget(world):
    world.roll_out()
    writes = [a for a in world.done if not isinstance(a, actions.StartTest)]
    assert len(writes) == 5  # Service, ConfigMap, Deployment, the pinned cases, the flip
    assert world.status_writes == 4
    assert [e.reason for e in world.events] == ["RevisionStarting", "Promoted", "RevisionReady"]


def test_a_new_version_stays_within_its_budget(serving):
    before = len([a for a in serving.done if not isinstance(a, actions.StartTest)])
    status_writes, events = serving.status_writes, len(serving.events)
    serving.apply(2)
    serving.roll_out()
    writes = [a for a in serving.done if not isinstance(a, actions.StartTest)]
    assert len(writes) - before == 5  # ConfigMap, Deployment, the pinned cases, the flip, the old one to 0
    assert serving.status_writes - status_writes == 4
    assert len(serving.events) - events == 3
    assert serving.replicas() == {1: 0, 2: 1}


def test_a_failed_candidate_is_quarantined_and_the_old_version_serves_on(serving):
    old = serving.selected()
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "IdenticalOutputs", "all answers are alike")
    assert serving.selected() == old
    assert serving.replicas() == {1: 1, 2: 0}
    assert serving.condition("Stalled") == ("True", "RolledBack")
    assert serving.condition("Ready") == ("False", "RolledBack")
    assert serving.condition("Available") == ("True", "Serving")
    assert serving.condition("SmokeTestPassed") == ("False", "IdenticalOutputs")
    assert serving.status.phase is reasons.Phase.RolledBack
    rejected = serving.status.rejected_revisions[0]
    assert (rejected.version, rejected.reason) == (2, "IdenticalOutputs")


def test_a_rejected_revision_is_not_tried_again_after_another_one_came_between(serving):
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "GoldenMismatch")
    serving.apply(3)
    serving.roll_out()
    assert serving.active_version() == 3
    serving.apply(2)
    serving.after(600)
    assert serving.status.candidate_revision is None
    assert serving.active_version() == 3
    assert serving.condition("Stalled") == ("True", "RolledBack")


@pytest.mark.parametrize(
    "change",
    [
        {"rollout": {"retryToken": "again", "bakeSeconds": 60}},
        {"smoke": {"cases": [{"name": "two", "instances": [[1.0]]}], "repeatSeconds": 0}},
    ],
    ids=["retry token", "smoke input"],
)
def test_what_lifts_the_quarantine(serving, change):
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "GoldenMismatch")
    serving.apply(2, **change)
    assert serving.status.candidate_revision.version == 2
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.roll_out()
    assert serving.active_version() == 2
    assert serving.status.rejected_revisions == ()


def test_a_spec_equal_to_the_active_revision_clears_the_degraded_state_without_churn(serving):
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "GoldenMismatch")
    done = len(serving.done)
    serving.apply(1)
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert serving.condition("Stalled") == ("False", "NotStalled")
    assert len(serving.done) == done


def test_a_new_spec_in_mid_rollout_starts_again_from_the_active_revision(serving):
    serving.apply(2)
    serving.apply(3)
    assert serving.status.candidate_revision.version == 3
    assert serving.replicas() == {1: 1, 2: 0, 3: 1}
    serving.roll_out()
    assert serving.active_version() == 3
    assert serving.status.rejected_revisions == ()


def test_a_kill_in_the_bake_flips_back_at_once_and_scales_down_after_the_status(serving):
    serving.apply(2)
    new = serving.roll_out(bake=False)
    serving.after(5)
    done = len(serving.done)
    serving.kill(new)
    flip, scale = (a for a in serving.done[done:] if isinstance(a, actions.Patch))
    assert (flip.kind, scale.kind) == ("Service", "Deployment")
    assert serving.active_version() == 1
    assert serving.replicas() == {1: 1, 2: 0}
    assert serving.condition("Stalled") == ("True", "RolledBack")
    rejected = serving.status.rejected_revisions[0]
    assert rejected.reason == "OOMKilled"
    assert "set resources.limits.memory to 1Gi" in rejected.message
    assert serving.status.resources.last_oom.kind == "OOMKilled"


def test_the_flip_comes_before_the_status_and_the_scale_down_after_it(serving):
    serving.apply(2)
    new = serving.roll_out(bake=False)
    first, *_ = serving.pods[new]
    ended = worlds.make_termination("OOMKilled", 137, serving.now)
    server = worlds.make_container("server", last_terminated=ended, restart_count=1)
    serving.pods[new] = (replace(first, ready=False, containers=(first.containers[0], server)),)
    done = len(serving.done)
    serving.step()
    assert [a.kind for a in serving.done[done:]] == ["Service"]
    assert serving.wake == 0
    serving.step()
    assert serving.replicas()[2] == 0


def test_a_kill_while_loading_rejects_the_candidate(serving):
    serving.apply(2)
    serving.kill(serving.status.candidate_revision.name)
    assert serving.status.rejected_revisions[0].reason == "OOMKilled"
    assert serving.replicas() == {1: 1, 2: 0}


def test_a_plain_crash_rejects_the_candidate_the_second_time(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    serving.kill(name, reason="Error", exit_code=255)
    assert serving.status.rejected_revisions == ()
    assert serving.condition("Progressing") == ("True", "ServerCrashed")
    serving.kill(name, reason="Error", exit_code=255)
    assert serving.status.rejected_revisions[0].reason == "ServerCrashed"


def test_a_model_that_the_server_refuses_is_rejected_with_the_cause(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    said = "Failed to start server. Error: NOT_FOUND: Op type not registered 'Foo' in binary"
    for _ in range(2):
        serving.kill(name, reason="Error", exit_code=255, message=said)
    rejected = serving.status.rejected_revisions[0]
    assert (rejected.reason, rejected.cause) == ("ModelLoadFailed", "OpMissing")


def test_two_failed_tests_through_the_service_in_the_bake_roll_back(serving):
    serving.apply(2)
    serving.roll_out(bake=False)
    serving.after(3)
    serving.answer(FAIL, "GoldenMismatch", "off by 3")
    assert serving.active_version() == 2
    serving.answer(FAIL, "GoldenMismatch", "off by 3")
    assert serving.active_version() == 1
    assert serving.status.rejected_revisions[0].version == 2


def test_one_failed_test_through_the_service_does_not_roll_back(serving):
    serving.apply(2)
    serving.roll_out(bake=False)
    serving.after(3)
    serving.answer(FAIL, "WrongVersion")
    serving.answer(PASS)
    serving.after(60)
    serving.answer(PASS)
    serving.after(60)
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert serving.active_version() == 2


def test_the_previous_revision_named_again_in_the_bake_is_flipped_to_at_once(serving):
    serving.apply(2)
    serving.roll_out(bake=False)
    serving.apply(1)
    assert serving.active_version() == 1
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert serving.replicas() == {1: 1, 2: 0}
    assert serving.status.rejected_revisions == ()


def test_a_new_spec_in_the_bake_leaves_the_bake_watched(serving):
    serving.apply(2)
    baking = serving.roll_out(bake=False)
    serving.apply(3)
    assert serving.status.candidate_revision.version == 3
    serving.kill(baking)
    assert serving.active_version() == 1
    assert serving.status.candidate_revision.version == 3
    serving.roll_out()
    assert serving.active_version() == 3
    assert serving.replicas() == {1: 0, 2: 0, 3: 1}


def bigger(version: int, **changes):
    return {"version": version, "resources": {"limits": {"memory": "256Mi"}}, **changes}


def test_repeated_kills_after_the_bake_step_back_once_to_a_revision_with_more_room(serving):
    serving.apply(**bigger(2))
    new = serving.roll_out()
    assert serving.replicas() == {1: 0, 2: 1}
    serving.after(10)
    serving.kill(new)
    assert serving.status.candidate_revision is None
    serving.after(10)
    serving.kill(new)
    candidate = serving.status.candidate_revision
    assert (candidate.version, candidate.purpose) == (1, reasons.Purpose.Rollback)
    assert serving.replicas() == {1: 1, 2: 1}
    serving.become_ready(candidate.name)
    request = list(serving.requests.values())[-1]
    assert request.purpose is plans.TestPurpose.Rollback
    assert request.cases == plans.PinnedCases(config_map=f"{candidate.name}-cases")
    assert request.load_requests == 0
    serving.answer(PASS)
    assert serving.active_version() == 1
    assert serving.replicas() == {1: 1, 2: 0}
    assert serving.condition("Stalled") == ("True", "RolledBack")
    assert serving.status.rejected_revisions[0].reason == "OOMKilled"


def test_kills_without_a_revision_with_more_room_leave_the_newer_one(serving):
    serving.apply(2)
    new = serving.roll_out()
    for _ in range(3):
        serving.after(10)
        serving.kill(new)
    assert serving.active_version() == 2
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    assert (
        "set resources.limits.memory to 1Gi"
        in next(c for c in serving.status.conditions if c.type == "Stalled").message
    )
    assert len([e for e in serving.events if e.reason == "NoHealthyRevision"]) == 1


def test_only_one_step_back_is_taken_for_a_generation(serving):
    serving.apply(**bigger(2))
    second = serving.roll_out()
    for _ in range(2):
        serving.after(10)
        serving.kill(second)
    first = serving.status.candidate_revision.name
    serving.become_ready(first)
    serving.answer(PASS)
    for _ in range(4):
        serving.after(10)
        serving.kill(first)
    assert serving.active_version() == 1
    assert serving.status.candidate_revision is None


def test_a_target_that_fails_too_leaves_the_newer_one(serving):
    serving.apply(**bigger(2))
    new = serving.roll_out()
    for _ in range(2):
        serving.after(10)
        serving.kill(new)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(FAIL, "GoldenMismatch")
    assert serving.active_version() == 2
    assert serving.condition("Stalled") == ("True", "NoHealthyRevision")
    assert serving.replicas() == {1: 0, 2: 1}


def test_a_kill_seen_twice_counts_once(serving):
    serving.apply(**bigger(2))
    new = serving.roll_out()
    serving.kill(new)
    for _ in range(5):
        serving.after(5)
    assert len(serving.status.resources.recent_ooms) == 1
    assert serving.status.candidate_revision is None


def test_a_repeated_test_that_fails_twice_in_a_row_steps_back(serving):
    repeating = {"smoke": {"cases": [{"name": "one", "instances": [[0.0]]}], "repeatSeconds": 100}}
    serving.apply(2, **repeating)
    serving.roll_out()
    serving.after(100)
    serving.answer(FAIL, "GoldenMismatch", "drifted")
    assert serving.status.candidate_revision is None
    serving.answer(FAIL, "GoldenMismatch", "drifted")
    assert serving.status.candidate_revision.version == 1
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(PASS)
    assert serving.active_version() == 1
    assert serving.status.rejected_revisions[0].reason == "GoldenMismatch"


def test_a_test_that_could_not_run_is_no_verdict_and_is_tried_again(serving):
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(None, "PodUnreachable", "no route")
    assert serving.status.rejected_revisions == ()
    assert serving.condition("SmokeTestPassed") == ("Unknown", "PodUnreachable")
    assert serving.condition("Progressing") == ("True", "PodUnreachable")
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.after(400)
    assert serving.condition("Stalled") == ("True", "PodUnreachable")
    serving.answer(PASS)
    assert serving.active_version() == 2
    assert serving.condition("Stalled") == ("False", "NotStalled")


@pytest.mark.parametrize(("choice", "want"), [("Hold", 1), ("Promote", 2)])
def test_an_inconclusive_test_does_as_the_user_chose(serving, choice, want):
    smoke = {"cases": [{"name": "one", "instances": [[0.0]]}], "repeatSeconds": 0, "onInconclusive": choice}
    serving.apply(2, smoke=smoke)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(INCONCLUSIVE, "Inconclusive", "one case only")
    assert serving.active_version() == want
    stalled = ("True", "Inconclusive") if want == 1 else ("False", "NotStalled")
    assert serving.condition("Stalled") == stalled
    assert serving.status.rejected_revisions == ()


def test_paused_stops_starts_and_promotions_and_no_rollback(serving):
    paused = {"rollout": {"bakeSeconds": 60, "paused": True}}
    serving.apply(2, **paused)
    assert 2 not in serving.replicas()
    assert serving.status.phase is reasons.Phase.Paused
    serving.after(4000)
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.apply(2, **paused)
    serving.answer(PASS)
    assert serving.active_version() == 1
    serving.apply(2)
    assert serving.active_version() == 2
    serving.apply(2, **paused)
    serving.kill(serving.status.active_revision.name)
    assert serving.active_version() == 1


def test_scaled_to_zero_the_candidate_waits(serving):
    serving.apply(2, replicas=0)
    assert serving.replicas() == {1: 0}
    assert serving.status.phase is reasons.Phase.ScaledToZero
    assert serving.condition("Ready") == ("False", "ScaledToZero")
    serving.after(4000)
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.apply(2, replicas=2)
    assert serving.replicas() == {1: 2, 2: 2}


def test_a_step_past_its_deadline_stalls_with_the_cause_and_recovers(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    (pod,) = serving.pods[name]
    waiting = worlds.make_container(
        "server", waiting_reason="ImagePullBackOff", waiting_message="no such image"
    )
    serving.pods[name] = (replace(pod, containers=(pod.containers[0], waiting)),)
    serving.settle()
    assert serving.condition("Progressing") == ("True", "ImagePull")
    assert serving.condition("Stalled") == ("False", "NotStalled")
    serving.after(301)
    assert serving.condition("Stalled") == ("True", "ImagePull")
    assert serving.status.candidate_revision.version == 2
    assert serving.status.rejected_revisions == ()
    serving.roll_out()
    assert serving.condition("Ready") == ("True", "RevisionReady")


def test_flapping_does_not_reset_the_deadline(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    serving.become_ready(name)
    began = serving.status.candidate_revision.since
    for _ in range(3):
        serving.after(50)
        serving.pods[name] = tuple(replace(p, ready=False) for p in serving.pods[name])
        serving.after(50)
        serving.become_ready(name)
    assert serving.status.candidate_revision.since == began
    serving.pods[name] = tuple(replace(p, ready=False) for p in serving.pods[name])
    serving.after(1)
    assert serving.condition("Stalled")[0] == "True"


def test_a_missing_claim_is_named_and_its_arrival_goes_on(world):
    fresh = worlds.World(worlds.make_spec(1), claim=None)
    fresh.settle()
    assert fresh.condition("Ready") == ("False", "ClaimMissing")
    assert fresh.deployments == {}
    fresh.claim = world.claim
    fresh.settle()
    assert fresh.status.phase is reasons.Phase.Starting


def test_a_claim_for_one_pod_only_is_refused(world):
    fresh = worlds.World(worlds.make_spec(1), claim=replace(world.claim, access_modes=("ReadWriteOncePod",)))
    fresh.settle()
    assert fresh.condition("Stalled") == ("True", "ClaimAccessMode")


def test_a_name_that_is_taken_stalls_and_nothing_is_promoted(world):
    taken = snapshot.Refusal(
        kind="Service", name="digits", code=409, message="already exists", name_taken=True
    )
    fresh = worlds.World(worlds.make_spec(1), refusals=(taken,))
    fresh.settle()
    assert fresh.condition("Stalled") == ("True", "NameTaken")
    assert fresh.done == []


def test_an_exceeded_quota_is_a_condition(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    serving.pods[name] = ()
    serving.deployments[name] = replace(serving.deployments[name], replica_failure="exceeded quota: team")
    serving.settle()
    assert serving.condition("Progressing") == ("True", "QuotaExceeded")
    assert serving.condition("ResourcesValid") == ("False", "QuotaExceeded")


def test_an_invalid_spec_is_named_and_what_served_serves_on(serving):
    serving.apply(2, resources={"limits": {"memory": "500m"}})
    assert serving.condition("Stalled")[0] == "True"
    assert serving.condition("ResourcesValid") == ("False", "InvalidResources")
    assert "500Mi" in next(c for c in serving.status.conditions if c.type == "ResourcesValid").message
    assert serving.condition("Available") == ("True", "Serving")
    assert serving.replicas() == {1: 1}
    serving.apply(1)
    assert serving.condition("Ready") == ("True", "RevisionReady")


def test_a_selector_edited_by_hand_is_put_right(serving):
    right = serving.service
    serving.service = replace(
        serving.service, selector=((constants.LABEL_REVISION, "digits-bad"), ("extra", "label"))
    )
    serving.settle()
    assert serving.service == right
    assert [e.reason for e in serving.events][-1] == "DriftCorrected"


def test_a_deployment_scaled_by_hand_is_put_right(serving):
    name = serving.status.active_revision.name
    serving.deployments[name] = replace(serving.deployments[name], replicas=5)
    serving.settle()
    assert serving.replicas() == {1: 1}


def test_a_deleted_deployment_of_the_active_revision_is_made_again(serving):
    name = serving.status.active_revision.name
    serving.deployments.pop(name)
    serving.pods.pop(name)
    serving.settle()
    assert serving.replicas() == {1: 1}


def test_changed_cases_are_tested_once_and_a_failure_rolls_nothing_back(serving):
    changed = {"cases": [{"name": "two", "instances": [[5.0]]}], "repeatSeconds": 0}
    serving.apply(1, smoke=changed)
    assert list(serving.requests.values())[-1].purpose is plans.TestPurpose.CasesChanged
    serving.answer(FAIL, "GoldenMismatch")
    assert serving.active_version() == 1
    assert serving.condition("SmokeTestPassed") == ("False", "CasesChanged")
    count = len(serving.requests)
    serving.after(1000)
    assert len(serving.requests) == count


def test_changed_cases_that_pass_replace_the_pin(serving):
    changed = {"cases": [{"name": "two", "instances": [[5.0]]}], "repeatSeconds": 0}
    serving.apply(1, smoke=changed)
    serving.answer(PASS)
    assert isinstance(serving.done[-1], actions.PinCases)
    assert serving.condition("SmokeTestPassed") == ("True", "Passed")


def test_each_new_pod_of_the_active_revision_is_tested_once(serving):
    serving.after(100)
    serving.apply(1, replicas=2)
    name = serving.status.active_revision.name
    serving.become_ready(name)
    fresh = [r for r in serving.requests.values() if r.purpose is plans.TestPurpose.NewPod]
    assert [len(r.targets) for r in fresh] == [1]
    serving.answer(FAIL, "GoldenMismatch")
    assert serving.active_version() == 1
    assert serving.status.rejected_revisions == ()
    assert serving.condition("SmokeTestPassed") == ("False", "GoldenMismatch")
    assert len([e for e in serving.events if e.reason == "GoldenMismatch"]) == 1


def test_old_revisions_beyond_the_limit_are_deleted(serving):
    for version in range(2, 6):
        serving.apply(version, rollout={"bakeSeconds": 60, "revisionHistoryLimit": 2})
        serving.roll_out()
    assert serving.replicas() == {3: 0, 4: 0, 5: 1}
    assert len(serving.config_maps) == 6


def test_a_first_version_that_fails_gets_no_traffic(world):
    world.become_ready(world.status.candidate_revision.name)
    world.answer(FAIL, "IdenticalOutputs")
    assert world.selected() == "none"
    assert world.condition("Stalled") == ("True", "Rejected")
    assert world.status.phase is reasons.Phase.Rejected
    assert world.replicas() == {1: 0}


def test_a_lost_status_is_taken_over_from_the_cluster(serving):
    name = serving.status.active_revision.name
    serving.status = status.Status()
    serving.tests.clear()
    serving.settle()
    assert serving.status.active_revision.name == name
    assert serving.condition("Ready") == ("True", "RevisionReady")
    assert serving.selected() == name


def test_a_settled_object_asks_for_nothing(serving):
    done, writes = len(serving.done), serving.status_writes
    serving.after(3600)
    assert (len(serving.done), serving.status_writes) == (done, writes)
    assert serving.wake is None


def test_a_failure_with_a_cause_keeps_its_reason(serving):
    """A cause is a word of the smoke engine's, and no reason of a condition or an Event."""
    repeating = {"smoke": {"cases": [{"name": "one", "instances": [[0.0]]}], "repeatSeconds": 100}}
    serving.apply(2, **repeating)
    serving.roll_out()
    serving.after(100)
    serving.answer(FAIL, "NonFiniteOutputs", cause="NotANumber")
    serving.answer(FAIL, "NonFiniteOutputs", cause="NotANumber")
    assert serving.condition("SmokeTestPassed") == ("False", "NonFiniteOutputs")
    assert serving.status.step_back.reason == "NonFiniteOutputs"
    assert serving.status.smoke.cause == "NotANumber"


def test_a_failure_in_the_bake_keeps_its_reason_and_cause(serving):
    serving.apply(2)
    serving.roll_out(bake=False)
    serving.after(3)
    for _ in range(2):
        serving.answer(FAIL, "NonFiniteOutputs", cause="NotANumber")
    rejected = serving.status.rejected_revisions[0]
    assert (rejected.reason, rejected.cause) == ("NonFiniteOutputs", "NotANumber")
