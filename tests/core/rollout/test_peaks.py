"""The largest working set that was measured: kept for its revision, and followed by the recommendation."""

from fractions import Fraction

import pytest

from tests.support import worlds
from tfserving_operator.api import status as statuses
from tfserving_operator.core import memory, quantities

MI = quantities.MI


@pytest.fixture
def serving() -> worlds.World:
    """Version 1 serves, and its bake is over."""
    world = worlds.World(worlds.make_spec())
    world.settle()
    world.roll_out()
    return world


def active(world: worlds.World) -> str:
    assert world.status.active_revision is not None
    return world.status.active_revision.name


def resources(world: worlds.World) -> statuses.ResourcesStatus:
    assert world.status.resources is not None
    return world.status.resources


def measure(world: worlds.World, count: int) -> statuses.ResourcesStatus:
    world.peaks[active(world)] = count
    world.settle()
    return resources(world)


def test_without_measurements_there_is_no_peak(serving):
    assert resources(serving).peak_working_set is None
    assert "peakWorkingSet" not in serving.status.to_wire()["resources"]


@pytest.mark.parametrize("count", [1, 100 * MI, 300 * MI - 1, 300 * MI, 300 * MI + 1, 5000 * MI])
def test_the_recommendation_leaves_a_quarter_above_the_peak_and_is_never_lowered_by_it(serving, count):
    known = resources(serving).model_copy(update={"recommended_memory_limit": "384Mi"})
    serving.status = serving.status.model_copy(update={"resources": known})
    told = measure(serving, count)
    peak = quantities.parse_quantity(told.peak_working_set)
    assert count <= peak < count + MI
    recommended = quantities.parse_quantity(told.recommended_memory_limit)
    assert recommended >= max(384 * MI, Fraction(5, 4) * count)
    assert told.recommended_memory_limit == memory.recommended_limit(peak_bytes=count, before="384Mi")


def test_the_largest_one_stays_also_when_the_operator_has_forgotten_it(serving):
    large = measure(serving, 900 * MI)
    assert large.peak_working_set == "900Mi"
    assert measure(serving, 700 * MI) == large
    serving.peaks.clear()
    serving.settle()
    assert resources(serving) == large
    assert measure(serving, 901 * MI).peak_working_set == "901Mi"


def test_one_that_is_no_news_writes_no_status(serving):
    measure(serving, 900 * MI)
    writes = serving.status_writes
    measure(serving, 900 * MI - 5)
    measure(serving, 800 * MI)
    assert serving.status_writes == writes


def test_a_peak_is_its_revisions_own(serving):
    first = active(serving)
    measure(serving, 900 * MI)
    serving.apply(2)
    serving.roll_out()
    assert resources(serving).revision == active(serving) != first
    assert resources(serving).peak_working_set is None
