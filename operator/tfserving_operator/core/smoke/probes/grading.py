"""Which of several changes puts the answers right: tried on a few units first, and proven on more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import asking, units, wanted

_SPARE_BITS: Final = 6.0
"""How much more the goldens must prove than the number of candidates: a false name once in 64 searches at most."""
_SCREENED: Final = 3
_PROVEN: Final = 8
_LARGE: Final = 20_000
"""Values of a unit; large ones are tried on fewer."""
_LARGE_SCREENED: Final = 1
_LARGE_PROVEN: Final = 4
_SURVIVORS: Final = 6
_NEAR: Final = 0.35
"""A candidate that leaves less of the error than this is tried on more units."""
_CLOSE: Final = 0.2
"""What is left of the error where a change comes close."""
_NEAR_GOLDEN: Final = 0.25
"""How far answers that come close are from the goldens at most, in units of how far goldens are from each other."""
_CLEARLY: Final = 2.0
"""How much better the closest is than the best of another cause."""
_CLOSE_UNITS: Final = 3
_MAY_BE_CLOSE: Final = frozenset(
    {causes.Cause.UnscaledInput, causes.Cause.ScaledTwice, causes.Cause.ScalerMismatch}
)
"""What may be a matter of degree: estimated statistics are never quite those of training."""


class Tier(IntEnum):
    """How simple an explanation is; the simplest that restores the goldens is named."""

    Single = 0
    """means one change of all values: a scale, a channel order, lower case"""
    Swap = 1
    """means two features, or two inputs, swapped"""
    Permutation = 2
    """means features in another order"""
    Fitted = 3
    """means constants that were fitted to the goldens, and hold for others"""
    Close = 4
    """means that most of the error is gone, not all"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A change, and what it means when it puts the answers right."""

    when: str
    """Reads on from "They agree when"."""
    cause: causes.Cause
    change: asking.Change
    group: str = ""
    tier: Tier = Tier.Single


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A change that puts the answers right, or comes close."""

    when: str
    cause: causes.Cause
    tier: Tier
    left: float = 0.0
    """The share of the error that is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scores:
    """How candidates did, one row for each of them and one column for each unit."""

    excess: units.Array
    distance: units.Array

    @property
    def agree(self) -> units.Array:
        return np.asarray((self.excess <= 1.0).all(axis=1))

    @property
    def mean(self) -> units.Array:
        return np.asarray(self.distance.mean(axis=1))


def with_goldens(sample: units.Sample) -> tuple[units.Unit, ...]:
    """The units that a change can be graded by."""
    return tuple(unit for unit in sample.units if unit.golden)


def baseline(sample: units.Sample, chosen: Sequence[units.Unit]) -> float:
    """The mean error of the recorded answers."""
    scales = sample.scales
    errors = [float(u.golden.distance(u.answered, 1, scales)[0]) for u in chosen if u.golden]
    return float(np.mean(errors)) if errors else 0.0


def is_proven(chosen: Sequence[units.Unit], candidates: int) -> bool:
    """Whether agreement on these units is no matter of chance, for the best of so many candidates."""
    proof = wanted.proof([unit.golden for unit in chosen if unit.golden])
    return proof > 0.0 and proof >= math.log2(max(candidates, 1)) + _SPARE_BITS


def screen(name: str, sample: units.Sample, candidates: Sequence[Candidate]) -> asking.Search[list[Finding]]:
    """Try every candidate on a few units, and the promising ones on more.

    Returns
    -------
    list[Finding]
        Those that restore all goldens, the simplest only; or the one that comes close, clearly better than others.
    """
    rated = with_goldens(sample)
    if not candidates or not rated:
        return []
    large = rated[0].values > _LARGE
    first = rated[: _LARGE_SCREENED if large else _SCREENED]
    proving = rated[: _LARGE_PROVEN if large else _PROVEN]
    scores = yield from score(f"{name}, tried", sample, candidates, first)
    promising = _promising(scores, baseline(sample, first))
    if not promising:
        return []
    chosen = [candidates[i] for i in promising]
    scores = yield from score(f"{name}, proven", sample, chosen, proving)
    return conclude(sample, chosen, scores, proving, len(candidates))


def score(
    name: str, sample: units.Sample, candidates: Sequence[Candidate], chosen: Sequence[units.Unit]
) -> asking.Search[_Scores]:
    """Ask for every candidate on every unit."""
    trials = [
        asking.Trial(unit=unit, change=candidate.change, group=candidate.group)
        for unit in chosen
        for candidate in candidates
    ]
    reply = yield asking.Ask(name=name, trials=trials)
    excess = np.full((len(candidates), len(chosen)), np.inf)
    distance = np.full((len(candidates), len(chosen)), np.inf)
    scales = sample.scales
    for j, unit in enumerate(chosen):
        at = j * len(candidates) + np.flatnonzero(
            reply.answered[j * len(candidates) : (j + 1) * len(candidates)]
        )
        if unit.golden and len(at):
            outputs = reply.of(at)
            excess[at - j * len(candidates), j] = unit.golden.excess(outputs, len(at))
            distance[at - j * len(candidates), j] = unit.golden.distance(outputs, len(at), scales)
    return _Scores(excess=excess, distance=distance)


def _promising(scores: _Scores, before: float) -> list[int]:
    agree = [int(i) for i in np.flatnonzero(scores.agree)][:_SURVIVORS]
    if agree:
        return agree
    order = np.argsort(scores.mean, kind="stable")[:_SURVIVORS]
    limit = _NEAR * before if np.isfinite(before) else 0.0
    return [int(i) for i in order if scores.mean[i] <= limit]


def conclude(
    sample: units.Sample,
    candidates: Sequence[Candidate],
    scores: _Scores,
    proving: Sequence[units.Unit],
    tried: int,
) -> list[Finding]:
    """Name what the scores prove."""
    if all(unit.excess <= 1.0 for unit in proving):
        return []  # nothing was wrong with these
    restoring = [c for c, agrees in zip(candidates, scores.agree, strict=True) if agrees]
    if restoring:
        if not is_proven(proving, tried):
            return []
        simplest = min(c.tier for c in restoring)
        return [Finding(when=c.when, cause=c.cause, tier=c.tier) for c in restoring if c.tier == simplest]
    return _closest(sample, candidates, scores, proving)


def _closest(
    sample: units.Sample, candidates: Sequence[Candidate], scores: _Scores, proving: Sequence[units.Unit]
) -> list[Finding]:
    before = baseline(sample, proving)
    if len(proving) < _CLOSE_UNITS or not np.isfinite(before) or not is_proven(proving, len(candidates)):
        return []
    best = int(np.argmin(scores.mean))
    best_left = float(scores.mean[best])
    left = best_left / before if before else np.inf
    others = [
        m for c, m in zip(candidates, scores.mean, strict=True) if c.cause is not candidates[best].cause
    ]
    if (
        best_left > _NEAR_GOLDEN
        or left > _CLOSE
        or any(other < _CLEARLY * scores.mean[best] for other in others)
    ):
        return []
    chosen = candidates[best]
    if chosen.cause not in _MAY_BE_CLOSE:
        return []
    return [Finding(when=chosen.when, cause=chosen.cause, tier=Tier.Close, left=left)]
