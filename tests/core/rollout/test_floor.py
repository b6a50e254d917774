"""A memory limit below what the model needs at least: refused before the server starts, or warned of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons
from tfserving_operator.core import actions, inspection, memory, quantities

MI = quantities.MI
LIMIT = 512 * MI
FLOOR = 600 * MI
RECOMMENDED = memory.recommended_limit(floor_bytes=FLOOR)
BELOW = reasons.Reason.MemoryBelowFloor


def report(reason: str = "", **changes: object) -> inspection.Inspection:
    known = {
        "version": 1,
        "digest": "sha256:abc",
        "variable_bytes": 500 * MI,
        "graph_bytes": MI,
        "memory_floor": FLOOR,
        "memory_limit": LIMIT,
        **changes,
    }
    found = inspection.build(**known)
    return replace(found, reason=reason, message=inspection.below_floor(found)) if reason else found


def inspected(world: worlds.World, revision: str, found: inspection.Inspection) -> None:
    """The inspectors of a revision's pods end, and the kubelet does as their exit code says."""
    message = inspection.render(found).decode()
    ended = worlds.make_termination("Error", int(found.exit_code), world.now, message)
    refused = found.exit_code is not inspection.ExitCode.Ok
    world.pods[revision] = tuple(
        replace(
            pod,
            phase="Pending" if refused else pod.phase,
            qos_class="Burstable",
            containers=(
                replace(pod.containers[0], terminated=ended),
                worlds.make_container("server", waiting_reason="PodInitializing" if refused else ""),
            ),
        )
        for pod in world.pods[revision]
    )
    world.settle()


def candidate(world: worlds.World) -> str:
    assert world.status.candidate_revision is not None
    return world.status.candidate_revision.name


@pytest.fixture
def refused() -> worlds.World:
    """Version 1 serves; version 2 was refused by its floor."""
    world = worlds.World(worlds.make_spec())
    world.settle()
    world.roll_out()
    world.apply(2)
    inspected(world, candidate(world), report(BELOW))
    return world


def test_a_refusal_rejects_the_revision_with_limit_floor_and_remedy(refused):
    rejection = refused.status.rejected_revisions[0]
    assert (rejection.version, rejection.reason) == (2, BELOW)
    for figure in ("512Mi", "600Mi", f"set resources.limits.memory to {RECOMMENDED}"):
        assert figure in rejection.message
    assert refused.active_version() == 1
    assert refused.replicas() == {1: 1, 2: 0}
    assert refused.condition("Stalled") == ("True", "RolledBack")
    assert refused.condition("ResourcesValid") == ("False", BELOW)


def test_an_inspector_that_is_to_run_again_has_told_its_figures_already():
    world = worlds.World(worlds.make_spec())
    world.settle()
    revision, found = candidate(world), report(BELOW)
    ended = worlds.make_termination(
        "Error", int(found.exit_code), world.now, inspection.render(found).decode()
    )
    world.pods[revision] = tuple(
        replace(
            pod,
            phase="Pending",
            containers=(
                replace(
                    pod.containers[0],
                    terminated=None,
                    last_terminated=ended,
                    waiting_reason="CrashLoopBackOff",
                ),
                worlds.make_container("server", waiting_reason="PodInitializing"),
            ),
        )
        for pod in world.pods[revision]
    )
    world.settle()
    assert f"set resources.limits.memory to {RECOMMENDED}" in world.status.rejected_revisions[0].message


def test_the_refused_revision_is_what_status_resources_tells_of(refused):
    resources = refused.status.resources
    assert resources.revision == refused.status.rejected_revisions[0].name
    assert resources.model_bytes == 501 * MI
    assert (resources.memory_floor, resources.recommended_memory_limit) == ("600Mi", RECOMMENDED)
    assert resources.qos_class == "Burstable"
    refused.pods[resources.revision] = ()
    refused.settle()
    assert refused.status.resources == resources


def test_a_refused_revision_is_not_tried_again_by_itself(refused):
    refused.after(600)
    assert refused.status.candidate_revision is None
    assert len(refused.status.rejected_revisions) == 1


def test_a_higher_limit_is_another_revision_and_clears_it(refused):
    refused.apply(2, resources={"limits": {"memory": RECOMMENDED}})
    inspected(refused, candidate(refused), report(memory_limit=int(quantities.parse_quantity(RECOMMENDED))))
    assert refused.roll_out() == refused.status.active_revision.name
    assert refused.condition("Ready") == ("True", "RevisionReady")
    assert refused.condition("ResourcesValid") == ("True", "Valid")
    assert refused.status.resources.recommended_memory_limit == RECOMMENDED


def test_a_change_to_warn_tries_again_with_inspectors_that_let_it_through(refused):
    before = dict(refused.deployments)
    refused.pods[refused.status.rejected_revisions[0].name] = ()
    refused.apply(2, resourcePolicy="Warn")
    name = candidate(refused)
    assert actions.Delete(kind="Deployment", name=name, uid=f"uid-of-{name}") in refused.done
    assert refused.deployments[name].resource_policy == "Warn"
    others = {n: d for n, d in refused.deployments.items() if n != name}
    assert others == {n: d for n, d in before.items() if n != name}
    inspected(refused, name, report())
    refused.roll_out()
    assert refused.active_version() == 2


def test_under_warn_the_server_starts_and_the_limit_is_told_once():
    world = worlds.World(worlds.make_spec(resourcePolicy="Warn"))
    world.settle()
    inspected(world, candidate(world), report())
    world.roll_out()
    assert world.condition("Ready") == ("True", "RevisionReady")
    condition = next(c for c in world.status.conditions if c.type == "ResourcesValid")
    assert condition.status == "True"
    assert "600Mi" in condition.message
    told = [e for e in world.events if e.reason == BELOW]
    assert [e.type for e in told] == [actions.EventType.Warning]
    assert f"set resources.limits.memory to {RECOMMENDED}" in told[0].message


@pytest.mark.parametrize("policy", ["Enforce", "Warn"])
def test_what_serves_is_not_touched_by_a_change_of_the_policy(policy):
    world = worlds.World(worlds.make_spec(resourcePolicy="Warn" if policy == "Enforce" else "Enforce"))
    world.settle()
    world.roll_out()
    done = len(world.done)
    world.apply(1, resourcePolicy=policy)
    assert world.done[done:] == []
    assert world.condition("Ready") == ("True", "RevisionReady")


def test_a_revision_that_passed_under_another_policy_is_gone_back_to_as_it_is():
    world = worlds.World(worlds.make_spec(resourcePolicy="Warn"))
    world.settle()
    world.roll_out()
    world.apply(2, resourcePolicy="Enforce")
    world.roll_out()
    world.apply(1, resourcePolicy="Enforce")
    assert candidate(world) in world.deployments
    assert not [a for a in world.done if isinstance(a, actions.Delete)]
    world.roll_out()
    assert world.active_version() == 1


def test_a_revision_of_an_operator_that_knew_of_no_floor_is_not_made_again():
    world = worlds.World(worlds.make_spec(rollout={"paused": True}))
    world.settle()
    name = candidate(world)
    world.apply(1, rollout={"paused": False})
    world.deployments[name] = replace(world.deployments[name], resource_policy="", replicas=0)
    world.pods[name] = ()
    world.status = world.status.model_copy(
        update={
            "candidate_revision": world.status.candidate_revision.model_copy(
                update={"step": reasons.Step.Validating}
            )
        }
    )
    world.apply(1, resourcePolicy="Warn")
    assert not [a for a in world.done if isinstance(a, actions.Delete)]


def test_the_recommendation_of_a_revision_remembers_limits_that_killed_its_version():
    world = worlds.World(worlds.make_spec())
    world.settle()
    world.roll_out()
    world.apply(2)
    inspected(world, candidate(world), report(memory_floor=100 * MI))
    world.kill(candidate(world))
    assert world.status.resources.recommended_memory_limit == "1Gi"
    world.apply(2, resources={"limits": {"memory": "768Mi"}})
    inspected(world, candidate(world), report(memory_floor=100 * MI, memory_limit=768 * MI))
    world.roll_out()
    assert world.status.resources.recommended_memory_limit == "1Gi"
    world.apply(3)
    inspected(world, candidate(world), report(version=3, memory_floor=100 * MI))
    world.roll_out()
    assert world.status.resources.recommended_memory_limit == "256Mi"


def test_the_reason_of_a_newer_inspector_holds_and_quarantines_nothing():
    world = worlds.World(worlds.make_spec())
    world.settle()
    message = inspection.render(report()).decode().replace('"reason":""', '"reason":"NewerReason"')
    ended = worlds.make_termination("Error", 99, world.now, message)
    name = candidate(world)
    pod = world.pods[name][0]
    world.pods[name] = (
        replace(pod, containers=(replace(pod.containers[0], terminated=ended), pod.containers[1])),
    )
    world.settle()
    assert world.condition("Ready") == ("False", "InspectionFailed")
    assert not world.status.rejected_revisions


def test_the_advice_after_kills_is_about_the_revision_that_was_killed():
    world = worlds.World(worlds.make_spec())
    world.settle()
    active = world.roll_out()
    world.apply(2)
    held = candidate(world)
    inspected(world, held, report(memory_floor=3000 * MI, memory_limit=4000 * MI))
    world.become_ready(held)
    for _ in range(2):
        world.now += timedelta(seconds=5)
        world.kill(active)
    assert world.status.resources.revision == held
    world.answer(None, "TestCannotRun", "nobody answers")
    assert "set resources.limits.memory to 1Gi" in world.status.step_back.message
