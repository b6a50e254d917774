"""A short soak: versions are swapped under load, no request fails and nothing piles up."""

from pathlib import Path

from benchmarks import modelserver_soak

SWAPS = 6
ALLOWED_GROWTH = 0.15
"""Three swaps do not even out what allocators keep; a version's session that stayed would weigh more."""


def test_versions_are_swapped_under_load_without_a_failed_request_and_without_a_leak(models: Path) -> None:
    settings = modelserver_soak.Settings(seconds=8, swaps=SWAPS, warm_swaps=3)
    said: list[str] = []
    outcome = modelserver_soak.soak(models / "ballast" / "1", [1.0], "x", settings, said.append)
    assert outcome.figures.failures == []
    assert outcome.figures.count > 500
    assert outcome.before.growth(outcome.after) < ALLOWED_GROWTH
    assert outcome.before.loaded - outcome.before.unloaded > 50, "the model is not most of the memory"
