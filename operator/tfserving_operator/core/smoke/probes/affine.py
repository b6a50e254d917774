"""A scaler with other constants: a scale and a shift for each feature, fitted to some goldens and held against others.

Levenberg-Marquardt, with derivatives by finite differences, all sent as rows: two requests a round, however many
models of the scaler are fitted side by side. What was fitted proves nothing; the rows that were held out do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import asking, grading, units

Array = units.Array
MAX_FEATURES: Final = 16
_MATRIX_RANK: Final = 2
_MIN_UNITS: Final = 4
_MAX_FITTED: Final = 16
_MAX_HELD: Final = 8
_ROUNDS: Final = 12
_STEP: Final = 1e-2
"""Of a finite difference, in deviations of the feature: large enough for float32."""
_DAMPINGS: Final = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_EPSILON: Final = 1e-6
_GONE: Final = 0.1
"""What is left of the error where a fit is worth holding against other rows."""
_STALLED: Final = 0.999
_EARLY: Final = 3
"""Rounds after which fits that are far behind are given up, and all of them where none gets anywhere."""
_BEHIND: Final = 30.0
_HOPELESS: Final = 0.3
_MILD: Final = 5.0
"""The largest factor of another scaler that comes close, or of its inverse."""
_SHOWN: Final = 3
_NEAR_ONE: Final = 0.25
"""A deviation this close to 1, in logarithms, does not tell a missing scaler from another one."""


_OTHER: Final = causes.Cause.ScalerMismatch


@dataclass(frozen=True, kw_only=True, slots=True)
class _Slots:
    """The features of all inputs of real numbers, side by side."""

    inputs: tuple[str, ...]
    sizes: tuple[int, ...]
    mean: Array
    std: Array

    def read(self, columns: units.Columns) -> Array:
        return np.concatenate([columns[name].reshape(-1) for name in self.inputs])

    def change(self, values: Array) -> asking.Change:
        """Replace the features of a unit, which is one row."""

        def change(columns: units.Columns) -> units.Columns:
            parts = np.split(values, np.cumsum(self.sizes)[:-1])
            new = {n: p.reshape(columns[n].shape) for n, p in zip(self.inputs, parts, strict=True)}
            return {**columns, **new}

        return change

    def scaler(self, parameters: Array) -> tuple[Array, Array]:
        """A factor and a summand for each feature, from parameters that are 0 for no change."""
        factors = 1.0 + parameters[: len(self.mean)]
        return factors, self.std * parameters[len(self.mean) :] + self.mean * (1.0 - factors)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    """One model of the scaler under way."""

    basis: Array
    """From its own few parameters to a factor and a summand for each feature."""
    weights: Array
    start: Array
    loss: float = np.inf
    gradient: Array | None = None
    residual: Array | None = None

    @property
    def parameters(self) -> Array:
        return np.asarray(self.start + self.basis @ self.weights)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Problem:
    """What is fitted to."""

    slots: _Slots
    fitted: Sequence[units.Unit]
    values: Array
    """A row of features for each fitted unit."""
    wanted: Array
    """A row of goldens for each fitted unit, after `warp`."""
    names: tuple[str, ...]
    is_share: bool
    """Whether the outputs are probabilities, whose odds are closer to linear."""

    def warp(self, outputs: Array) -> Array:
        if not self.is_share:
            return outputs
        return np.asarray(np.log((outputs + _EPSILON) / (1.0 - outputs + _EPSILON)))


def search(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """Fit a scale and a shift for each feature, and hold them against rows that were not fitted to."""
    problem = _problem(sample)
    if problem is None:
        return []
    fits = list(_starts(problem))
    first = float(((problem.warp(_now(problem)) - problem.wanted) ** 2).mean())
    for round_number in range(_ROUNDS):
        fits = yield from _differentiate(f"scaler {round_number} slopes", fits, problem)
        stepped = yield from _step(f"scaler {round_number} steps", fits, problem)
        stalled = all(new.loss > _STALLED * old.loss for new, old in zip(stepped, fits, strict=True))
        fits = stepped
        best = min(fit.loss for fit in fits)
        if stalled or best < _EPSILON**2 or (round_number >= _EARLY and best > _HOPELESS * first):
            break
        fits = [fit for fit in fits if round_number < _EARLY or fit.loss <= _BEHIND * best]
    return (yield from _hold(sample, problem, fits))


def _problem(sample: units.Sample) -> _Problem | None:
    slots = _slots(sample)
    rated = [u for u in grading.with_goldens(sample) if u.golden and u.golden.values and not u.golden.top_k]
    names = tuple(sorted(rated[0].golden.values)) if rated and rated[0].golden else ()
    if slots is None or len(rated) < _MIN_UNITS or not sample.by_row or sample.batch:
        return None
    # Interleaved, so that wrong and right ones, and all goldens, are on both sides.
    fitted = [unit for i, unit in enumerate(rated) if i % 3 != 2][:_MAX_FITTED]  # noqa: PLR2004 - two thirds
    rows = [np.concatenate([u.golden.values[n] for n in names]) for u in fitted if u.golden]
    if len({row.shape for row in rows}) != 1 or any(row.dtype.kind != "f" for row in rows):
        return None
    wanted = np.stack(rows)
    is_share = bool(((wanted >= 0) & (wanted <= 1)).all()) and bool((wanted != np.round(wanted)).any())
    problem = _Problem(
        slots=slots,
        fitted=fitted,
        values=np.stack([slots.read(unit.columns) for unit in fitted]),
        wanted=wanted,
        names=names,
        is_share=is_share,
    )
    return replace(problem, wanted=problem.warp(wanted))


def _slots(sample: units.Sample) -> _Slots | None:
    inputs = tuple(n for n in sample.named("f") if sample.units[0].columns[n].ndim <= _MATRIX_RANK)
    if not inputs or any(unit.columns[n].shape[0] != 1 for unit in sample.units for n in inputs):
        return None
    sizes = tuple(sample.units[0].columns[name].size for name in inputs)
    same = all(
        unit.columns[n].size == size for unit in sample.units for n, size in zip(inputs, sizes, strict=True)
    )
    if not same or sum(sizes) > MAX_FEATURES:
        return None
    rows = np.stack([np.concatenate([u.columns[n].reshape(-1) for n in inputs]) for u in sample.units])
    std = rows.std(axis=0)
    floor = np.maximum(np.abs(rows).mean(axis=0), 1.0) * _STEP
    return _Slots(inputs=inputs, sizes=sizes, mean=rows.mean(axis=0), std=np.maximum(std, floor))


def _starts(problem: _Problem) -> Iterator[_Fit]:
    """One scale and shift for all, a shift for each, a scale for each, both; the last from several points."""
    count = len(problem.slots.mean)
    identity, none = np.eye(count), np.zeros((count, count))
    std, mean = problem.slots.std, problem.slots.mean
    # x -> f x + s, in the parameters that are 0 for no change: (f - 1) and (s + mean (f - 1)) / std
    both = np.zeros((2 * count, 2))
    both[:count, 0], both[count:, 0], both[count:, 1] = 1.0, mean / std, 1.0 / std * std.mean()
    shifts, scales = np.vstack([none, identity]), np.vstack([identity, none])
    zero = np.zeros(2 * count)
    yield _Fit(basis=both, weights=np.zeros(2), start=zero)
    yield _Fit(basis=shifts, weights=np.zeros(count), start=zero)
    yield _Fit(basis=scales, weights=np.zeros(count), start=zero)
    standardised = np.concatenate([1.0 / std - 1.0, -mean / std])
    turned_back = np.concatenate([std - 1.0, mean * std / std])
    for start in (zero, standardised, turned_back):
        yield _Fit(basis=np.eye(2 * count), weights=np.zeros(2 * count), start=start)


def _evaluate(
    name: str, points: Sequence[tuple[int, Array]], problem: _Problem
) -> asking.Search[tuple[Array, Array]]:
    """The warped outputs for (fitted unit, features) points, and whether there were any."""
    trials = [
        asking.Trial(unit=problem.fitted[i], change=problem.slots.change(values)) for i, values in points
    ]
    reply = yield asking.Ask(name=name, trials=trials)
    width = problem.wanted.shape[1]
    empty = np.zeros((len(points), width)), np.zeros(len(points), dtype=bool)
    found = [reply.outputs.get(n, reply.outputs.get("")) for n in problem.names]
    parts = [part for part in found if part is not None and part.dtype.kind in "fiu"]
    if len(parts) != len(found) or sum(part.shape[1] for part in parts) != width:
        return empty
    whole = np.concatenate(parts, axis=1).astype(np.float64)
    usable = reply.answered & np.isfinite(whole).all(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return problem.warp(np.where(usable[:, None], whole, 0.5)), usable


def _differentiate(name: str, fits: Sequence[_Fit], problem: _Problem) -> asking.Search[list[_Fit]]:
    count, rows = len(problem.slots.mean), len(problem.fitted)
    points = []
    for fit in fits:
        factors, summands = problem.slots.scaler(fit.parameters)
        width = _h(problem, factors)
        for i in range(rows):
            at = factors * problem.values[i] + summands
            points.append((i, at))
            for j in range(count):
                beside = at.copy()
                beside[j] += width[j]
                points.append((i, beside))
    outputs, usable = yield from _evaluate(name, points, problem)
    per_fit = rows * (count + 1)
    return [
        _with_slopes(
            fit, problem, outputs[k * per_fit : (k + 1) * per_fit], usable[k * per_fit : (k + 1) * per_fit]
        )
        for k, fit in enumerate(fits)
    ]


def _h(problem: _Problem, factors: Array) -> Array:
    """The width of a finite difference, on the scale that the features have now."""
    return np.asarray(_STEP * np.maximum(np.abs(factors) * problem.slots.std, _STEP))


def _with_slopes(fit: _Fit, problem: _Problem, outputs: Array, usable: Array) -> _Fit:
    count, rows = len(problem.slots.mean), len(problem.fitted)
    if not usable.all():
        return replace(fit, gradient=None)
    factors, _ = problem.slots.scaler(fit.parameters)
    cube = outputs.reshape(rows, count + 1, -1)
    slopes = (cube[:, 1:] - cube[:, :1]) / _h(problem, factors)[None, :, None]
    # z = f x + s with f = 1 + p, s = std q - mean p: dz/dp = x - mean, dz/dq = std
    by_factor = slopes * (problem.values - problem.slots.mean)[:, :, None]
    by_summand = slopes * problem.slots.std[None, :, None]
    full = np.concatenate([by_factor, by_summand], axis=1).transpose(0, 2, 1)
    gradient = full.reshape(-1, 2 * count) @ fit.basis
    residual = (cube[:, 0] - problem.wanted).reshape(-1)
    return replace(fit, gradient=gradient, residual=residual, loss=float((residual**2).mean()))


def _step(name: str, fits: Sequence[_Fit], problem: _Problem) -> asking.Search[list[_Fit]]:
    """Try steps of several dampings for every fit, and take the best."""
    tries: list[tuple[int, _Fit]] = []
    points = []
    for index, fit in enumerate(fits):
        for weights in _steps(fit):
            tried = replace(fit, weights=weights)
            tries.append((index, tried))
            factors, summands = problem.slots.scaler(tried.parameters)
            points += [(i, factors * row + summands) for i, row in enumerate(problem.values)]
    outputs, usable = yield from _evaluate(name, points, problem)
    best = list(fits)
    rows = len(problem.fitted)
    for k, (index, tried) in enumerate(tries):
        part = slice(k * rows, (k + 1) * rows)
        loss = float(((outputs[part] - problem.wanted) ** 2).mean()) if usable[part].all() else np.inf
        if loss < best[index].loss:
            best[index] = replace(tried, loss=loss)
    return best


def _steps(fit: _Fit) -> Iterator[Array]:
    if fit.gradient is None or fit.residual is None:
        return
    square = fit.gradient.T @ fit.gradient
    towards = fit.gradient.T @ fit.residual
    size = np.diag(square)
    floor = np.maximum(size, float(size.max()) * _EPSILON + _EPSILON**2)
    for damping in _DAMPINGS:
        step = np.linalg.lstsq(square + np.diag(damping * floor), towards, rcond=1e-10)[0]
        if np.isfinite(step).all():
            yield fit.weights - step


def _hold(
    sample: units.Sample, problem: _Problem, fits: Sequence[_Fit]
) -> asking.Search[list[grading.Finding]]:
    """Hold the fits against all rows; those that were not fitted to decide."""
    used = {id(unit) for unit in problem.fitted}
    rated = grading.with_goldens(sample)
    held = [unit for unit in rated if id(unit) not in used][:_MAX_HELD]
    before = float(((problem.warp(_now(problem)) - problem.wanted) ** 2).mean())
    worth = [fit for fit in fits if fit.loss < _GONE**2 * before]
    if not worth or not grading.is_proven(held, 1):
        return []
    chosen = [_candidate(problem, fit) for fit in worth]
    scores = yield from grading.score("scaler held", sample, chosen, held)
    found = grading.conclude(sample, chosen, scores, held, 1)
    mild = any(_is_mild(problem, fit) for fit in worth)
    return [f for f in found if f.tier != grading.Tier.Close or (mild and f.cause is _OTHER)][:1]


def _is_mild(problem: _Problem, fit: _Fit) -> bool:
    factors, _ = problem.slots.scaler(fit.parameters)
    return bool(((factors < _MILD) & (factors > 1.0 / _MILD)).all())


def _now(problem: _Problem) -> Array:
    """What the fitted units were answered with; far off where that cannot be compared."""
    rows = []
    for unit, wanted in zip(problem.fitted, problem.wanted, strict=True):
        parts = [unit.answered[n].astype(np.float64) for n in problem.names if n in unit.answered]
        row = np.concatenate(parts) if parts else np.zeros(0)
        rows.append(row if row.shape == wanted.shape else np.full(wanted.shape, 0.5))
    return np.stack(rows)


def _candidate(problem: _Problem, fit: _Fit) -> grading.Candidate:
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


def _cause(slots: _Slots, factors: Array) -> causes.Cause:
    """Tell a missing scaler (factors like 1 / deviation) and a second one (like the deviation) from another one."""
    size = np.log(np.abs(factors) + _EPSILON)
    reach = np.log(slots.std)
    if (np.abs(reach) < _NEAR_ONE).all():
        return causes.Cause.ScalerMismatch
    distances = {
        causes.Cause.ScalerMismatch: float(np.abs(size).mean()),
        causes.Cause.UnscaledInput: float(np.abs(size + reach).mean()),
        causes.Cause.ScaledTwice: float(np.abs(size - reach).mean()),
    }
    return min(distances, key=lambda cause: distances[cause])
