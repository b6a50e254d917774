"""The stable Service in a simulated cluster: it keeps its form, comes back, and a refused form stops no flip."""

from dataclasses import replace

from tests.support import worlds
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import actions, snapshot

FAIL, PASS = reasons.Verdict.Fail, reasons.Verdict.Pass
ALLOWED = replace(
    worlds.POLICY,
    allowed_service_types=("ClusterIP", "LoadBalancer"),
    allowed_service_annotations=("example.com/*",),
)
BALANCED = {"type": "LoadBalancer", "annotations": {"example.com/pool": "a"}}


def reject_second(world: worlds.World) -> None:
    world.apply(2)
    world.become_ready(world.status.candidate_revision.name)
    world.answer(FAIL, "GoldenMismatch")


def test_an_invalid_spec_leaves_the_services_type_and_annotations(monkeypatch):
    monkeypatch.setattr(worlds, "POLICY", ALLOWED)
    world = worlds.World(worlds.make_spec(1, service=BALANCED))
    world.settle()
    world.roll_out()
    before = world.service
    assert before.type == "LoadBalancer"
    world.apply(2, service=BALANCED, resources={"limits": {"memory": "500m"}})
    assert world.condition("Stalled")[0] == "True"
    assert world.service == before


def test_a_service_deleted_after_a_rejection_is_made_again(serving):
    reject_second(serving)
    before, serving.service = serving.service, None
    serving.settle()
    assert serving.service == before


def test_a_service_deleted_while_the_next_revision_is_paused_is_made_again(serving):
    serving.apply(2, rollout={"paused": True})
    before, serving.service = serving.service, None
    serving.settle()
    assert serving.service == before


def test_a_service_deleted_under_an_invalid_spec_is_made_again(serving):
    serving.apply(2, resources={"limits": {"memory": "500m"}})
    before, serving.service = serving.service, None
    serving.settle()
    assert serving.service == before


def test_a_service_name_that_is_taken_later_stalls(serving):
    reject_second(serving)
    serving.service = None
    taken = snapshot.Refusal(kind="Service", name="digits", code=409, message="exists", name_taken=True)
    serving.refusals = (taken,)
    serving.settle()
    assert serving.service is None
    assert serving.condition("Stalled") == ("True", "NameTaken")


def test_a_refused_change_of_the_service_is_told_and_stops_no_flip(monkeypatch):
    monkeypatch.setattr(worlds, "POLICY", ALLOWED)
    world = worlds.World(worlds.make_spec(1))
    world.settle()
    first = world.roll_out()
    world.apply(2)
    second = world.roll_out(bake=False)
    refused = snapshot.Refusal(
        kind="Service", name="digits", code=403, message="exceeded quota: balancers", name_taken=False
    )
    world.refusals = (refused,)
    world.apply(2, service=BALANCED)
    assert world.condition("Ready") == ("False", "QuotaExceeded")
    assert world.service.type == "ClusterIP"
    world.kill(second)
    assert world.selected() == first


def test_a_refused_patch_of_a_deployment_is_not_sent_again_at_once(serving):
    name = serving.status.active_revision.name
    serving.deployments[name] = replace(serving.deployments[name], replicas=5)
    serving.refusals = (
        snapshot.Refusal(
            kind="Deployment", name=name, code=403, message="a webhook says no", name_taken=False
        ),
    )
    done = len(serving.done)
    serving.settle()
    assert len(serving.done) == done
    assert serving.condition("Ready") == ("False", "PodsRefused")


def test_a_pass_that_cannot_be_recorded_is_held_with_the_reason(serving):
    serving.apply(2)
    name = serving.status.candidate_revision.name
    serving.become_ready(name)
    serving.refusals = (
        snapshot.Refusal(
            kind="ConfigMap", name=f"{name}-cases", code=403, message="exceeded quota: x", name_taken=False
        ),
    )
    done = len(serving.done)
    serving.answer(PASS)
    assert not [a for a in serving.done[done:] if isinstance(a, actions.PinCases)]
    assert serving.active_version() == 1
    assert serving.condition("Progressing") == ("True", "QuotaExceeded")
    serving.refusals = ()
    serving.settle()
    assert serving.active_version() == 2


def test_a_deployment_scaled_by_hand_is_told(serving):
    name = serving.status.active_revision.name
    serving.deployments[name] = replace(serving.deployments[name], replicas=5)
    serving.settle()
    assert [e.reason for e in serving.events][-1] == "DriftCorrected"


def test_scaling_and_promoting_are_no_drift(serving):
    serving.apply(1, replicas=2)
    serving.become_ready(serving.status.active_revision.name)
    serving.apply(2, replicas=2)
    serving.roll_out()
    assert "DriftCorrected" not in [e.reason for e in serving.events]


def test_endpoints_name_the_model_that_serves(serving):
    serving.apply(2, model={"name": "renamed", "version": 2, "uri": "pvc://models/digits"})
    assert serving.status.endpoints.rest.endswith("/v1/models/digits")
    serving.roll_out()
    assert serving.status.endpoints.rest.endswith("/v1/models/renamed")


def test_a_service_pointed_by_hand_at_an_untested_candidate_promotes_nothing(serving):
    old = serving.selected()
    serving.apply(2)
    candidate = serving.status.candidate_revision.name
    labels = {**dict(serving.service.selector), constants.LABEL_REVISION: candidate}
    annotations = {**dict(serving.service.annotations), constants.ANNOTATION_ACTIVE_REVISION: candidate}
    serving.service = replace(
        serving.service,
        selector=tuple(sorted(labels.items())),
        annotations=tuple(sorted(annotations.items())),
    )
    serving.settle()
    assert serving.selected() == old
    assert serving.active_version() == 1
    assert serving.status.candidate_revision.name == candidate


def test_of_two_obstacles_the_users_own_input_is_named_first(serving):
    serving.service = None
    serving.refusals = (
        snapshot.Refusal(kind="Service", name="digits", code=409, message="already exists", name_taken=True),
    )
    serving.apply(2, resources={"limits": {"memory": "500m"}})
    assert serving.condition("Stalled") == ("True", "InvalidResources")
