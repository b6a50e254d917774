"""The network policy and the disruption budget in a simulated cluster."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support import worlds
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import actions, snapshot

FAIL = reasons.Verdict.Fail
BUDGET, NETWORK = "PodDisruptionBudget", "NetworkPolicy"
PEERS = ({"podSelector": {}},)
CLOSED = replace(worlds.POLICY, network=snapshot.Network(rest_from=PEERS))


def spec_of(world: worlds.World, kind: str) -> Any:
    return json.loads(world.beside[kind].spec)


def protected(world: worlds.World) -> str:
    return str(spec_of(world, BUDGET)["selector"]["matchLabels"][constants.LABEL_REVISION])


def serve(**changes: Any) -> worlds.World:
    world = worlds.World(worlds.make_spec(1, **changes))
    world.settle()
    world.roll_out()
    return world


def reasons_told(world: worlds.World) -> list[str]:
    return [str(event.reason) for event in world.events]


def test_nobody_gets_what_was_not_asked_for(serving: worlds.World) -> None:
    assert serving.beside == {}


# The budget


def test_a_budget_comes_with_the_first_promotion_and_follows_the_flip_and_back() -> None:
    world = worlds.World(worlds.make_spec(1, disruption={"maxUnavailable": 1}))
    world.settle()
    assert world.beside == {}
    first = world.roll_out()
    assert protected(world) == first
    assert spec_of(world, BUDGET)["maxUnavailable"] == 1
    world.apply(2, disruption={"maxUnavailable": 1})
    assert protected(world) == first
    second = world.roll_out(bake=False)
    assert protected(world) == second == world.selected()
    world.kill(second)
    assert protected(world) == first == world.selected()
    assert "DriftCorrected" not in reasons_told(world)


def test_a_budget_changes_and_goes_with_the_spec_and_the_revision_stays() -> None:
    world = serve(disruption={"maxUnavailable": 1})
    revision = world.selected()
    world.apply(1, disruption={"maxUnavailable": "25%"})
    assert spec_of(world, BUDGET)["maxUnavailable"] == "25%"
    world.apply(1)
    assert world.beside == {}
    assert world.selected() == revision
    assert world.condition("Ready") == ("True", "RevisionReady")
    assert "DriftCorrected" not in reasons_told(world)


def test_a_budget_that_was_loosened_by_hand_is_put_right_and_told() -> None:
    world = serve(disruption={"maxUnavailable": 1})
    live = world.beside[BUDGET]
    loosened = {**json.loads(live.spec), "maxUnavailable": 9}
    loosened["selector"] = {"matchLabels": {"app": "theirs"}}
    world.beside[BUDGET] = replace(live, spec=json.dumps(loosened))
    world.settle()
    assert world.beside[BUDGET] == live
    assert reasons_told(world).count("DriftCorrected") == 1


def test_a_budget_deleted_by_hand_comes_back() -> None:
    world = serve(disruption={"maxUnavailable": 1})
    live = world.beside.pop(BUDGET)
    world.settle()
    assert world.beside[BUDGET] == live


def test_an_invalid_spec_leaves_the_budget_and_makes_none() -> None:
    world = serve(disruption={"maxUnavailable": 1})
    live = world.beside[BUDGET]
    world.apply(2, disruption={"maxUnavailable": 1}, resources={"limits": {"memory": "500m"}})
    assert world.condition("Stalled")[0] == "True"
    assert world.beside[BUDGET] == live
    other = serve()
    other.apply(2, disruption={"maxUnavailable": 1}, resources={"limits": {"memory": "500m"}})
    assert other.beside == {}


def test_a_budget_costs_one_write_at_the_first_promotion_and_one_at_each_flip() -> None:
    plain, bounded = serve(), serve(disruption={"maxUnavailable": 1})
    assert len(bounded.done) == len(plain.done) + 1
    plain.apply(2)
    bounded.apply(2, disruption={"maxUnavailable": 1})
    for world in (plain, bounded):
        world.done.clear()
        world.roll_out()
    assert len(bounded.done) == len(plain.done) + 1
    assert bounded.status_writes == plain.status_writes


def test_an_installation_without_budgets_says_so_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "POLICY", replace(worlds.POLICY, disruption_budgets=False))
    world = worlds.World(worlds.make_spec(1, disruption={"maxUnavailable": 1}))
    world.settle()
    assert world.condition("Stalled") == ("True", "PolicyViolation")
    assert (world.deployments, world.beside) == ({}, {})


@pytest.mark.parametrize("nothing", [0, "0%"])
def test_a_budget_that_no_drain_gets_past_is_made_and_warned_of(nothing: int | str) -> None:
    world = serve(disruption={"maxUnavailable": nothing})
    assert spec_of(world, BUDGET)["maxUnavailable"] == nothing
    (valid,) = (c for c in world.status.conditions if c.type == "ResourcesValid")
    assert "forbids every eviction" in valid.message


def test_a_budget_of_somebody_else_is_left_alone_and_told_of() -> None:
    world = serve()
    theirs = snapshot.Refusal(kind=BUDGET, name="digits", code=409, message="exists", name_taken=True)
    world.refusals = (theirs,)
    world.apply(1, disruption={"maxUnavailable": 1})
    assert world.beside == {}
    assert world.condition("Stalled") == ("True", "NameTaken")
    assert world.condition("Available")[0] == "True"


def test_a_refused_change_of_the_budget_stops_no_flip() -> None:
    world = serve(disruption={"maxUnavailable": 1})
    first = world.selected()
    world.apply(2, disruption={"maxUnavailable": 1})
    second = world.roll_out(bake=False)
    world.refusals = (
        snapshot.Refusal(kind=BUDGET, name="digits", code=403, message="a webhook says no", name_taken=False),
    )
    world.kill(second)
    assert world.selected() == first


# The network policy


def test_the_network_policy_is_there_before_the_first_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    world = worlds.World(worlds.make_spec(1))
    world.settle()
    kinds = [action.manifest["kind"] for action in world.done if isinstance(action, actions.Create)]
    assert kinds == [NETWORK, "Service", "ConfigMap", "Deployment"]
    (rule,) = spec_of(world, NETWORK)["ingress"]
    assert rule == {"from": list(PEERS), "ports": [{"port": 8501, "protocol": "TCP"}]}


def test_a_revision_that_may_not_start_has_no_network_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    for changes in ({"rollout": {"paused": True}}, {"resources": {"limits": {"memory": "500m"}}}):
        world = worlds.World(worlds.make_spec(1, **changes))
        world.settle()
        assert world.beside == {}


def test_the_network_policy_costs_one_write_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = serve()
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    closed = serve()
    assert len(closed.done) == len(plain.done) + 1
    closed.apply(2)
    closed.roll_out()
    about = [a for a in closed.done if isinstance(a, actions.Patch) and a.kind == NETWORK]
    assert about == []


def test_no_pod_starts_while_the_name_of_its_network_policy_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    world = worlds.World(worlds.make_spec(1))
    world.refusals = (
        snapshot.Refusal(kind=NETWORK, name="digits", code=409, message="exists", name_taken=True),
    )
    world.settle()
    assert world.deployments == {}
    assert world.condition("Stalled") == ("True", "NameTaken")


def test_a_network_policy_that_was_opened_by_hand_is_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    world = serve()
    live = world.beside[NETWORK]
    opened = {**json.loads(live.spec), "ingress": [{}], "egress": [{}]}
    world.beside[NETWORK] = replace(live, spec=json.dumps(opened))
    world.settle()
    assert world.beside[NETWORK] == live
    assert reasons_told(world).count("DriftCorrected") == 1


def test_other_peers_of_the_installation_reach_the_policies_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worlds, "POLICY", CLOSED)
    world = serve()
    wider = snapshot.Network(rest_from=PEERS, grpc_from=PEERS, egress=({"to": [{"podSelector": {}}]},))
    monkeypatch.setattr(worlds, "POLICY", replace(CLOSED, network=wider))
    world.settle()
    found = spec_of(world, NETWORK)
    assert [rule["ports"][0]["port"] for rule in found["ingress"]] == [8501, 8500]
    assert found["egress"] == [{"to": [{"podSelector": {}}]}]


# Unreachable pods


def test_an_unreachable_pod_is_told_with_the_remedy_and_rejects_nothing(
    serving: worlds.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "POLICY", replace(worlds.POLICY, operator_namespace="tfserving-system"))
    serving.apply(2)
    serving.become_ready(serving.status.candidate_revision.name)
    serving.answer(None, "PodUnreachable", "pod x: no connection")
    (tested,) = (c for c in serving.status.conditions if c.type == "SmokeTestPassed")
    assert (tested.status, tested.reason) == ("Unknown", "PodUnreachable")
    assert "let namespace tfserving-system in on TCP 8501" in tested.message
    assert "NetworkPolicy smoke-tests in docs/causes/test-cannot-run.md" in tested.message
    assert serving.status.rejected_revisions == ()
    assert serving.active_version() == 1
