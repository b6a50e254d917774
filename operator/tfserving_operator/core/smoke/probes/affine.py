"""A scaler with other constants: a scale and a shift for each feature, fitted to some goldens and held against others.

Levenberg-Marquardt, with derivatives by finite differences, all sent as rows: two requests a round, however many
models of the scaler are fitted side by side. What was fitted proves nothing; the rows that were held out do.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import asking, fitting, grading, units

Array = units.Array
_MIN_UNITS: Final = 4
_MAX_FITTED: Final = 16
_MAX_HELD: Final = 8
_ROUNDS: Final = 12
_GONE: Final = 0.1
"""What is left of the error where a fit is worth holding against other rows."""
_STALLED: Final = 0.999
_EARLY: Final = 3
"""Rounds after which fits that are far behind are given up, and all of them where none gets anywhere."""
_BEHIND: Final = 30.0
_HOPELESS: Final = 0.3
_MILD: Final = 5.0
"""The largest factor of another scaler that comes close, or of its inverse."""
_MAX_CROSSED: Final = 8
_MIN_CROSSED: Final = 6
_CROSS_ROUNDS: Final = 5
_RIDGE: Final = 0.1
_CROSSED: Final = 0.45
"""What is left of the error in goldens that were left out; networks with other weights leave more."""
_CROSSED_ERROR: Final = 0.15
"""How far answers are from those goldens, in units of how far goldens are apart: any fit finds their mean, at 1."""
_WILDEST: Final = 1e4
"""The largest factor that a scaler has; a fit beyond undoes something else."""
_SHOWN: Final = 3
_NEAR_ONE: Final = 0.25
"""A deviation this close to 1, in logarithms, does not tell a missing scaler from another one."""


_OTHER: Final = causes.Cause.ScalerMismatch


def search(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """fitting.Fit a scale and a shift for each feature, and hold them against rows that were not fitted to."""
    problem = _problem(sample)
    if problem is None:
        return []
    fits = list(_starts(problem))
    first = float(((problem.warp(_now(problem)) - problem.wanted) ** 2).mean())
    for round_number in range(_ROUNDS):
        fits = yield from fitting.differentiate(f"scaler {round_number} slopes", fits, problem)
        stepped = yield from fitting.step(f"scaler {round_number} steps", fits, problem)
        stalled = all(new.loss > _STALLED * old.loss for new, old in zip(stepped, fits, strict=True))
        fits = stepped
        best = min(fit.loss for fit in fits)
        if stalled or best < fitting.EPSILON**2 or (round_number >= _EARLY and best > _HOPELESS * first):
            break
        fits = [fit for fit in fits if round_number < _EARLY or fit.loss <= _BEHIND * best]
    found = yield from _hold(sample, problem, fits)
    if any(finding.tier != grading.Tier.Close for finding in found):
        return found
    crossed = yield from _cross(sample)
    return crossed or found


def _problem(sample: units.Sample) -> fitting.Problem | None:
    rated = grading.with_goldens(sample)
    if len(rated) < _MIN_UNITS:
        return None
    # Interleaved, so that wrong and right ones, and all goldens, are on both sides.
    fitted = [unit for i, unit in enumerate(rated) if i % 3 != 2][:_MAX_FITTED]  # noqa: PLR2004 - two thirds
    return fitting.problem_of(sample, fitted)


def _starts(problem: fitting.Problem) -> Iterator[fitting.Fit]:
    """One scale and shift for all, a shift for each, a scale for each, both; the last from several points."""
    count, std, mean = len(problem.slots.mean), problem.slots.std, problem.slots.mean
    zero, rows = np.zeros(2 * count), tuple(range(len(problem.fitted)))
    # x -> f x + s, in the parameters that are 0 for no change: (f - 1) and (s + mean (f - 1)) / std
    same = np.zeros((2 * count, 2))
    same[:count, 0], same[count:, 0], same[count:, 1] = 1.0, mean / std, 1.0 / std * std.mean()
    shifts = np.vstack([np.zeros((count, count)), np.eye(count)])
    for basis in (same, shifts, *_bases(problem)):
        yield fitting.Fit(basis=basis, weights=np.zeros(basis.shape[1]), start=zero, rows=rows)
    standardised = np.concatenate([1.0 / std - 1.0, -mean / std])
    turned_back = np.concatenate([std - 1.0, mean])
    for start in (standardised, turned_back):
        yield fitting.Fit(basis=np.eye(2 * count), weights=np.zeros(2 * count), start=start, rows=rows)


def _bases(problem: fitting.Problem) -> tuple[Array, ...]:
    """A scale for each feature, about its mean and about zero; a scale and a shift for each."""
    count, identity = len(problem.slots.mean), np.eye(len(problem.slots.mean))
    about_mean = np.vstack([identity, np.zeros((count, count))])
    about_zero = np.vstack([identity, np.diag(problem.slots.mean / problem.slots.std)])
    return about_mean, about_zero, np.eye(2 * count)


def _hold(
    sample: units.Sample, problem: fitting.Problem, fits: Sequence[fitting.Fit]
) -> asking.Search[list[grading.Finding]]:
    """Hold the fits against all rows; those that were not fitted to decide."""
    used = {id(unit) for unit in problem.fitted}
    rated = grading.with_goldens(sample)
    held = [unit for unit in rated if id(unit) not in used][:_MAX_HELD]
    before = float(((problem.warp(_now(problem)) - problem.wanted) ** 2).mean())
    worth = [fit for fit in fits if fit.loss < _GONE**2 * before and _is_within(problem, fit, _WILDEST)]
    if not worth or not grading.is_proven(held, 1):
        return []
    chosen = [_candidate(problem, fit) for fit in worth]
    scores = yield from grading.score("scaler held", sample, chosen, held)
    found = grading.conclude(sample, chosen, scores, held, 1)
    mild = any(_is_within(problem, fit, _MILD) for fit in worth)
    return [f for f in found if f.tier != grading.Tier.Close or (mild and f.cause is _OTHER)][:1]


def _cross(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """Fit mild scalers to all goldens but one, each in turn: what they do to the one left out is no over-fitting."""
    rated = grading.with_goldens(sample)[:_MAX_CROSSED]
    problem = fitting.problem_of(sample, rated)
    if problem is None or len(rated) < _MIN_CROSSED or not grading.is_proven(rated, 1):
        return []
    fits = [
        fitting.Fit(
            basis=basis,
            weights=np.zeros(basis.shape[1]),
            start=np.zeros(basis.shape[0]),
            rows=tuple(i for i in range(len(rated)) if i != left_out),
            ridge=_RIDGE,
        )
        for basis in _bases(problem)
        for left_out in range(len(rated))
    ]
    for round_number in range(_CROSS_ROUNDS):
        fits = yield from fitting.differentiate(f"scaler crossed {round_number} slopes", fits, problem)
        fits = yield from fitting.step(f"scaler crossed {round_number} steps", fits, problem)
    scales, before = sample.scales, grading.baseline(sample, rated)
    trials = []
    for k, fit in enumerate(fits):
        unit = rated[k % len(rated)]
        factors, summands = problem.slots.scaler(fit.parameters)
        change = problem.slots.change(factors * problem.slots.read(unit.columns) + summands)
        trials.append(asking.Trial(unit=unit, change=change))
    reply = yield asking.Ask(name="scaler crossed held", trials=trials)
    if not reply.answered.all() or not before or not np.isfinite(before):
        return []
    goldens = [unit.golden for unit in rated if unit.golden]
    errors = [
        float(goldens[k % len(goldens)].distance(reply.of([k]), 1, scales)[0]) for k in range(len(fits))
    ]
    error = float(min(np.asarray(errors).reshape(-1, len(rated)).mean(axis=1)))
    left = error / before
    if not (left <= _CROSSED and error <= _CROSSED_ERROR):
        return []
    when = "features are scaled and shifted a little, fitted to all goldens but one, each in turn"
    return [grading.Finding(when=when, cause=_OTHER, tier=grading.Tier.Close, left=float(left))]


def _is_within(problem: fitting.Problem, fit: fitting.Fit, most: float) -> bool:
    factors, _ = problem.slots.scaler(fit.parameters)
    return bool(((np.abs(factors) < most) & (np.abs(factors) > 1.0 / most)).all())


def _now(problem: fitting.Problem) -> Array:
    """What the fitted units were answered with; far off where that cannot be compared."""
    rows = []
    for unit, wanted in zip(problem.fitted, problem.wanted, strict=True):
        parts = [unit.answered[n].astype(np.float64) for n in problem.names if n in unit.answered]
        row = np.concatenate(parts) if parts else np.zeros(0)
        rows.append(row if row.shape == wanted.shape else np.full(wanted.shape, 0.5))
    return np.stack(rows)


def _candidate(problem: fitting.Problem, fit: fitting.Fit) -> grading.Candidate:
    factors, summands = problem.slots.scaler(fit.parameters)
    names = [
        name if size == 1 else f"{name}[{i}]"
        for name, size in zip(problem.slots.inputs, problem.slots.sizes, strict=True)
        for i in range(size)
    ]
    shown = ", ".join(
        f"{name} is {name} * {factor:.4g} {'-' if summand < 0 else '+'} {abs(summand):.4g}"
        for name, factor, summand in list(zip(names, factors, summands, strict=True))[:_SHOWN]
    )
    more = ", …" if len(names) > _SHOWN else ""

    def change(columns: units.Columns) -> units.Columns:
        return problem.slots.change(factors * problem.slots.read(columns) + summands)(columns)

    return grading.Candidate(
        when=f"{shown}{more} (fitted to some goldens, held by others)",
        cause=_cause(problem.slots, factors),
        change=change,
        tier=grading.Tier.Fitted,
    )


def _cause(slots: fitting.Slots, factors: Array) -> causes.Cause:
    """Tell a missing scaler (factors like 1 / deviation) and a second one (like the deviation) from another one."""
    size = np.log(np.abs(factors) + fitting.EPSILON)
    reach = np.log(slots.std)
    if (np.abs(reach) < _NEAR_ONE).all():
        return causes.Cause.ScalerMismatch
    distances = {
        causes.Cause.ScalerMismatch: float(np.abs(size).mean()),
        causes.Cause.UnscaledInput: float(np.abs(size + reach).mean()),
        causes.Cause.ScaledTwice: float(np.abs(size - reach).mean()),
    }
    return min(distances, key=lambda cause: distances[cause])
