"""Answers that are all alike, and what makes them differ: there need be no golden for that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import (
    asking,
    examples,
    grading,
    scaling,
    texts,
    tokens,
    units,
)

CLEARLY: Final = 1e-3
"""A relative spread that no rounding makes."""
ALIKE: Final = 1e-5
"""A relative spread below which answers count as alike; checks have their own threshold."""
LAST_BITS: Final = 2e-7
"""A relative spread that rounding makes where batches differ in size; a collapsed batch normalisation leaves 4e-7."""
_UNITS: Final = 5
_LARGE: Final = 20_000
_LARGE_UNITS: Final = 3
_LARGER: Final = (16.0, 255.0, 1000.0, -1000.0)
_HUGE: Final = (1e6, 1e9, 1e12)
"""What is left after a division by a broken variance is found again with such inputs only."""
_SMALLER: Final = ("divided by 255", "scaled to [-1, 1] (x / 127.5 - 1)", "divided by 16", "divided by 1000")
_BATCH_NORM_OPS: Final = ("FusedBatchNorm", "Rsqrt")
_RELU_OPS: Final = ("Relu", "LeakyRelu", "_FusedConv2D", "_FusedMatMul")
_SEQUENCE_RANK: Final = 3


_CONSTANT: Final = grading.Finding(
    when="No change of the inputs that was tried makes the answers differ",
    cause=causes.Cause.ConstantOutput,
    tier=grading.Tier.Single,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Woken:
    """A change that was tried on several units."""

    candidate: grading.Candidate
    spread: float
    outputs: Mapping[str, units.Array]


def spread(outputs: Mapping[str, units.Array]) -> float:
    """How far answers are apart, relative to their size: the largest over all outputs."""
    largest = 0.0
    for array in outputs.values():
        if len(array) < 2:  # noqa: PLR2004 - one is not apart from itself
            continue
        if array.dtype.kind not in "fiu":
            largest = max(largest, float(bool((array != array[0]).any())))
            continue
        values = array.astype(np.float64)
        values = values[:, np.isfinite(values).all(axis=0)]
        scale = float(np.abs(values).max(initial=0.0))
        if scale:
            largest = max(largest, float(np.ptp(values, axis=0).max()) / scale)
    return largest


def recorded_spread(sample: units.Sample) -> float:
    """How far the recorded answers are apart."""
    answered = [unit.answered for unit in sample.units if unit.answered]
    names = [n for n in (answered[0] if answered else {}) if len({_shape(a, n) for a in answered}) == 1]
    return spread({name: np.stack([each[name] for each in answered]) for name in names})


def _shape(answered: Mapping[str, units.Array], name: str) -> Any:
    return answered[name].shape if name in answered else None


def search(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """Find what makes the answers differ, the most particular first.

    Smaller inputs that do: the model saturates. Only far larger ones: its activations are dead, or something
    divides nearly all away. Nothing: the output is constant.
    """
    chosen = sample.units[: _LARGE_UNITS if sample.units[0].values > _LARGE else _UNITS]
    if len(chosen) < 2:  # noqa: PLR2004 - one answer is not alike
        return []
    particular = [*examples.candidates(sample), *tokens.masks(sample), *texts.candidates(sample)]
    particular += texts.vocabulary(sample, known_words(sample))
    woken = yield from _try("wake particular", particular, chosen)
    if woken:
        return _first_cause(woken)
    scales = [c for c in scaling.candidates(sample) if _is_smaller(c)]
    woken = yield from _try("wake smaller", scales, chosen)
    if woken:
        return _first_cause(woken)
    larger = yield from _try("wake larger", list(_larger(sample)), chosen)
    if not larger and recorded_spread(sample) <= LAST_BITS:
        huge = yield from _try("wake huge", list(_larger(sample, _HUGE)), chosen)
        return _judge_huge(sample, huge)
    fractional = [c for c in _larger(sample) if _has_fractions(c, chosen)]
    cut = yield from _try("wake cut", [_without_fractions(c) for c in fractional], chosen)
    return _judge_larger(sample, larger, cut)


def known_words(sample: units.Sample) -> tuple[str, ...]:
    """Words that the inspected model has in a vocabulary."""
    inspected = sample.found.request.inspection
    if inspected is None:
        return ()
    hints = inspected.hints.get(sample.found.request.signature_name, {})
    words = [word for hint in hints.values() for word in hint.words]
    words += [word for asset in inspected.assets.values() if asset.is_vocabulary for word in asset.sample]
    usable = [w for w in dict.fromkeys(words) if w.strip() and not w.startswith(("[", "<"))]
    return tuple(usable)


def _is_smaller(candidate: grading.Candidate) -> bool:
    return candidate.cause is causes.Cause.UnscaledInput and candidate.when.endswith(_SMALLER)


def _larger(sample: units.Sample, factors: Sequence[float] = _LARGER) -> Iterator[grading.Candidate]:
    floats = sample.named("f")
    for factor in factors if floats else ():

        def grow(x: units.Array, factor: float = factor) -> units.Array:
            return np.asarray(x * factor)

        yield grading.Candidate(
            when=f"inputs are multiplied by {factor:g}",
            cause=causes.Cause.DeadActivations,
            change=_mapped(floats, grow),
        )


def _has_fractions(candidate: grading.Candidate, chosen: Sequence[units.Unit]) -> bool:
    """Whether there is anything to be cut off."""
    changed = [candidate.change(unit.columns) for unit in chosen]
    return all(any(_cut(a) is not a for a in columns.values()) for columns in changed)


def _without_fractions(candidate: grading.Candidate) -> grading.Candidate:
    def change(columns: units.Columns) -> units.Columns:
        return {name: _cut(array) for name, array in candidate.change(columns).items()}

    return replace(candidate, change=change)


def _cut(array: units.Array) -> units.Array:
    if array.dtype.kind != "f" or bool((array == np.trunc(array)).all()):
        return array
    return np.trunc(array)


def _mapped(names: Sequence[str], function: Callable[[units.Array], units.Array]) -> asking.Change:
    def change(columns: units.Columns) -> units.Columns:
        return {name: function(a) if name in names else a for name, a in columns.items()}

    return change


def _try(
    name: str, candidates: Sequence[grading.Candidate], chosen: Sequence[units.Unit]
) -> asking.Search[list[_Woken]]:
    """Those whose answers differ clearly, in the order of the candidates."""
    if not candidates:
        return []
    trials = [
        asking.Trial(unit=unit, change=candidate.change, group=candidate.group)
        for candidate in candidates
        for unit in chosen
    ]
    reply = yield asking.Ask(name=name, trials=trials)
    woken = []
    for i, candidate in enumerate(candidates):
        indices = range(i * len(chosen), (i + 1) * len(chosen))
        outputs = reply.of(indices)
        apart = spread(outputs) if reply.answered[list(indices)].all() else 0.0
        if apart > CLEARLY:
            woken.append(_Woken(candidate=candidate, spread=apart, outputs=outputs))
    return woken


def _first_cause(woken: Sequence[_Woken]) -> list[grading.Finding]:
    first = woken[0].candidate
    return [_differ(first.when, first.cause)]


def _differ(when: str, cause: causes.Cause) -> grading.Finding:
    return grading.Finding(when=f"The answers differ when {when}", cause=cause, tier=grading.Tier.Single)


def _judge_larger(
    sample: units.Sample, larger: Sequence[_Woken], cut: Sequence[_Woken]
) -> list[grading.Finding]:
    apart = recorded_spread(sample)
    for grown in larger if _may_cast(sample) else ():
        same = [c for c in cut if c.candidate.when == grown.candidate.when]
        if same and _equal(grown.outputs, same[0].outputs):
            when = f"{grown.candidate.when}, and not by their fractions"
            return [_differ(when, causes.Cause.IntegerTruncation)]
    if larger and apart <= LAST_BITS:
        is_masked = _is_sequence(sample) and _has_op(sample, _RELU_OPS) is False
        cause = causes.Cause.SequenceMasked if is_masked else causes.Cause.DeadActivations
        return [_differ(larger[0].candidate.when, cause)]
    found = []
    if apart > LAST_BITS and has_batch_norm(sample) is not False:
        when = f"The answers are {apart:.1g} apart, relative to their size, and not the same to the last bit"
        found = [grading.Finding(when=when, cause=causes.Cause.CollapsedBatchNorm, tier=grading.Tier.Single)]
    if larger and not has_batch_norm(sample):
        found.append(_differ(larger[0].candidate.when, causes.Cause.ScaledTwice))
    return found or _unmoved(sample)


def _judge_huge(sample: units.Sample, huge: Sequence[_Woken]) -> list[grading.Finding]:
    if not huge:
        return _unmoved(sample)
    named = [causes.Cause.CollapsedBatchNorm] if has_batch_norm(sample) is not False else []
    if not has_batch_norm(sample):
        named.append(causes.Cause.DeadActivations)
    return [_differ(huge[0].candidate.when, cause) for cause in named]


def _unmoved(sample: units.Sample) -> list[grading.Finding]:
    """Nothing makes the answers differ: a mask hides the ids, or the output is constant."""
    inspected = sample.found.request.inspection
    disconnected = {inspection.Clue.InputDisconnected, inspection.Clue.ConstantOutput}
    if (
        inspected is None
        or disconnected & inspected.clues.keys()
        or not set(tokens.ids(sample)) & set(sample.named("i"))
    ):
        return [_CONSTANT]
    when = "The graph is wired to the ids, and no ids that were tried make the answers differ"
    return [grading.Finding(when=when, cause=causes.Cause.SequenceMasked, tier=grading.Tier.Single)]


def _is_sequence(sample: units.Sample) -> bool:
    return any(sample.units[0].columns[name].ndim == _SEQUENCE_RANK for name in sample.named("f"))


def _may_cast(sample: units.Sample) -> bool:
    inspected = sample.found.request.inspection
    return inspected is None or inspection.Clue.IntegerCast in inspected.clues


def has_batch_norm(sample: units.Sample) -> bool | None:
    """Whether the inspected graph has batch normalisation; None where nobody inspected it."""
    return _has_op(sample, _BATCH_NORM_OPS)


def _has_op(sample: units.Sample, starts: tuple[str, ...]) -> bool | None:
    inspected = sample.found.request.inspection
    if inspected is None or not inspected.ops:
        return None
    if any(op.startswith(starts) for op in inspected.ops):
        return True
    return None if inspected.truncated else False


def _equal(one: Mapping[str, units.Array], other: Mapping[str, units.Array]) -> bool:
    return all(name in other and bool((array == other[name]).all()) for name, array in one.items())
