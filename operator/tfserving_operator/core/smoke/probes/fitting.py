"""Scalers that are fitted to goldens: Levenberg-Marquardt over rows of requests, with slopes by finite differences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tfserving_operator.core.smoke.probes import asking, units

Array = units.Array
MAX_FEATURES: Final = 16
_MATRIX_RANK: Final = 2
_STEP: Final = 1e-2
"""Of a finite difference, in deviations of the feature: large enough for float32."""
_DAMPINGS: Final = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0)
EPSILON: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Slots:
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
class Fit:
    """One model of the scaler under way."""

    basis: Array
    """From its own few parameters to a factor and a summand for each feature."""
    weights: Array
    start: Array
    rows: tuple[int, ...]
    """Which of the problem's units it is fitted to."""
    ridge: float = 0.0
    """What it costs to be far from no change, beside the squared residuals."""
    loss: float = np.inf
    gradient: Array | None = None
    residual: Array | None = None

    @property
    def parameters(self) -> Array:
        return np.asarray(self.start + self.basis @ self.weights)

    def cost(self, residual: Array) -> float:
        """What is minimised."""
        return float((residual**2).mean()) + self.ridge * float((self.weights**2).sum()) / residual.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is fitted to."""

    slots: Slots
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
        return np.asarray(np.log((outputs + EPSILON) / (1.0 - outputs + EPSILON)))


def problem_of(sample: units.Sample, fitted: Sequence[units.Unit]) -> Problem | None:
    """Pose the problem for some units; None where their inputs or goldens are no vectors of one size."""
    slots = _slots_of(sample)
    goldens = [unit.golden for unit in fitted if unit.golden]
    names = tuple(sorted(goldens[0].values)) if goldens else ()
    if slots is None or not names or not sample.by_row or sample.batch:
        return None
    if any(golden.top_k or sorted(golden.values) != list(names) for golden in goldens):
        return None
    rows = [np.concatenate([golden.values[n] for n in names]) for golden in goldens]
    if len({row.shape for row in rows}) != 1 or any(row.dtype.kind != "f" for row in rows):
        return None
    wanted = np.stack(rows)
    is_share = bool(((wanted >= 0) & (wanted <= 1)).all()) and bool((wanted != np.round(wanted)).any())
    problem = Problem(
        slots=slots,
        fitted=fitted,
        values=np.stack([slots.read(unit.columns) for unit in fitted]),
        wanted=wanted,
        names=names,
        is_share=is_share,
    )
    return replace(problem, wanted=problem.warp(wanted))


def _slots_of(sample: units.Sample) -> Slots | None:
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
    return Slots(inputs=inputs, sizes=sizes, mean=rows.mean(axis=0), std=np.maximum(std, floor))


def evaluate(
    name: str, points: Sequence[tuple[int, Array]], problem: Problem
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


def differentiate(name: str, fits: Sequence[Fit], problem: Problem) -> asking.Search[list[Fit]]:
    """Ask for the slopes of every fit where it stands."""
    points = []
    for fit in fits:
        factors, summands = problem.slots.scaler(fit.parameters)
        width = _width(problem, factors)
        for i in fit.rows:
            at = factors * problem.values[i] + summands
            points.append((i, at))
            points += [(i, at + beside) for beside in np.diag(width)]
    outputs, usable = yield from evaluate(name, points, problem)
    found, start = [], 0
    for fit in fits:
        part = slice(start, start + len(fit.rows) * (len(problem.slots.mean) + 1))
        found.append(_with_slopes(fit, problem, outputs[part], usable[part]))
        start = part.stop
    return found


def _width(problem: Problem, factors: Array) -> Array:
    """The width of a finite difference, on the scale that the features have now."""
    return np.asarray(_STEP * np.maximum(np.abs(factors) * problem.slots.std, _STEP))


def _with_slopes(fit: Fit, problem: Problem, outputs: Array, usable: Array) -> Fit:
    count, rows = len(problem.slots.mean), list(fit.rows)
    if not usable.all():
        return replace(fit, gradient=None)
    factors, _ = problem.slots.scaler(fit.parameters)
    cube = outputs.reshape(len(rows), count + 1, -1)
    slopes = (cube[:, 1:] - cube[:, :1]) / _width(problem, factors)[None, :, None]
    # z = f x + s with f = 1 + p, s = std q - mean p: dz/dp = x - mean, dz/dq = std
    by_factor = slopes * (problem.values[rows] - problem.slots.mean)[:, :, None]
    by_summand = slopes * problem.slots.std[None, :, None]
    full = np.concatenate([by_factor, by_summand], axis=1).transpose(0, 2, 1)
    gradient = full.reshape(-1, 2 * count) @ fit.basis
    residual = (cube[:, 0] - problem.wanted[rows]).reshape(-1)
    return replace(fit, gradient=gradient, residual=residual, loss=fit.cost(residual))


def step(name: str, fits: Sequence[Fit], problem: Problem) -> asking.Search[list[Fit]]:
    """Try steps of several dampings for every fit, and take the best."""
    tries = [(i, replace(fit, weights=weights)) for i, fit in enumerate(fits) for weights in _steps(fit)]
    points = []
    for _, tried in tries:
        factors, summands = problem.slots.scaler(tried.parameters)
        points += [(i, factors * problem.values[i] + summands) for i in tried.rows]
    outputs, usable = yield from evaluate(name, points, problem)
    best, start = list(fits), 0
    for index, tried in tries:
        part = slice(start, start + len(tried.rows))
        start = part.stop
        if usable[part].all():
            loss = tried.cost((outputs[part] - problem.wanted[list(tried.rows)]).reshape(-1))
            if loss < best[index].loss:
                best[index] = replace(tried, loss=loss)
    return best


def _steps(fit: Fit) -> Iterator[Array]:
    if fit.gradient is None or fit.residual is None:
        return
    square = fit.gradient.T @ fit.gradient
    towards = fit.gradient.T @ fit.residual + fit.ridge * fit.weights
    size = np.diag(square)
    floor = np.maximum(size, float(size.max()) * EPSILON + EPSILON**2)
    for damping in _DAMPINGS:
        # The ridge and the damping make it regular; without either, least squares takes the shortest step.
        normal = square + np.diag(damping * floor + fit.ridge)
        found = np.linalg.lstsq(normal, towards, rcond=1e-10)[0]
        if np.isfinite(found).all():
            yield fit.weights - found
