"""Simulated clusters to begin with."""

import pytest

from tests.support import worlds


@pytest.fixture
def world() -> worlds.World:
    """A cluster with version 1 asked for, its pods starting."""
    world = worlds.World(worlds.make_spec(1))
    world.settle()
    return world


@pytest.fixture
def serving(world: worlds.World) -> worlds.World:
    """A cluster in which version 1 is Ready."""
    world.roll_out()
    assert world.condition("Ready") == ("True", "RevisionReady")
    return world
