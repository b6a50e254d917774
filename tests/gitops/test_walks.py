"""Random walks through a simulated cluster, every state of which kstatus is asked about."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import stateful

from local.gitops import judging
from tests.core.rollout import test_walks
from tests.support import phases
from tfserving_operator.api import reasons
from tfserving_operator.core import revisions, workloads

FOR_EVER_SECONDS = 5000
"""Longer than any deadline of the walks' specs, one after the other."""
AS_ASKED = frozenset({reasons.Phase.Paused, reasons.Phase.ScaledToZero})
"""Phases that last for as long as the spec asks for them."""

Seen = dict[str, tuple[dict[str, Any], bool]]
"""Objects by their text, and whether all that Current promises holds."""


def _is_proven(world: Any) -> bool:
    """Whether the revision of the spec serves, passed, and its bake is over."""
    snap = world.snapshot()
    assert snap.spec is not None
    active = world.status.active_revision
    return (
        active is not None
        and active.name == revisions.name_of(snap.owner.name, snap.spec)
        and active.bake_until is None
        and any(pod.ready for pod in world.pods[active.name])
        and workloads.pin_name(active.name) in world.config_maps
        and world.status.observed_generation == world.generation
    )


def _build_walk(states: Seen, ends: Seen) -> type[test_walks.Walk]:
    class Recorded(test_walks.Walk):
        """A walk that keeps every state, and at its end the one that it comes to when nobody does anything."""

        def look(self, before: object) -> None:
            super().look(before)
            self.keep(states)

        def keep(self, into: Seen) -> None:
            made = phases.build_object(self.world)
            into[json.dumps(made, sort_keys=True)] = made, _is_proven(self.world)

        def teardown(self) -> None:
            self.wait(FOR_EVER_SECONDS)
            self.keep(ends)

    return Recorded


@pytest.fixture(scope="module")
def walked() -> tuple[Seen, Seen]:
    states: Seen = {}
    ends: Seen = {}
    settings = hypothesis.settings(
        max_examples=50,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    stateful.run_state_machine_as_test(_build_walk(states, ends), settings=settings)
    return states, ends


def test_current_is_never_said_before_the_revision_serves_and_is_proven(walked):
    states, _ = walked
    judged = judging.kstatus(made for made, _ in states.values())
    current = [seen for seen, j in zip(states.values(), judged, strict=True) if j.flux.status == "Current"]
    assert len(states) > 400
    assert len(current) > 40
    assert [made["status"] for made, is_proven in current if not is_proven] == []


def test_both_libraries_agree_in_every_state(walked):
    states, _ = walked
    assert [j for j in judging.kstatus(made for made, _ in states.values()) if j.sigs != j.flux] == []


def test_nothing_is_in_progress_for_ever_unless_the_spec_asks_for_it(walked):
    _, ends = walked
    judged = judging.kstatus(made for made, _ in ends.values())
    for (made, _), health in zip(ends.values(), judged, strict=True):
        if made["status"]["phase"] not in AS_ASKED:
            assert health.flux.status in {"Current", "Failed"}, made["status"]
