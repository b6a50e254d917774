"""Fractions that the model cuts off: answers that stay the same, to the last bit, when inputs are cut before."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import asking, grading, units

_UNITS: Final = 4
_NUDGE: Final = 5e-4
"""How far inputs are moved where nothing should change, in shares of the largest."""
_LAST_BITS: Final = 1e-6
_MANTISSA_LOST: Final = np.uint32(0xFFFF0000)


def _half(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype=np.float16).astype(np.float64)


def _brain(x: Any) -> Any:
    """Round to the nearest number of 8 bits of mantissa, halves to even."""
    bits = np.asarray(x, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & _MANTISSA_LOST).view(np.float32).astype(np.float64)


_CUTS: Final[tuple[tuple[str, causes.Cause, Callable[[Any], Any], float], ...]] = (
    ("cut to whole numbers", causes.Cause.IntegerTruncation, np.trunc, 1.0),
    ("rounded to whole numbers", causes.Cause.IntegerTruncation, np.round, 1.0),
    ("rounded to float16", causes.Cause.LowPrecision, _half, 0.01),
    ("rounded to bfloat16", causes.Cause.LowPrecision, _brain, 0.05),
)
"""What it is called, what it means, and how far inputs must be moved so that a model which cuts them notices."""


def search(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """Find out whether the model itself cuts what it gets: then cutting before changes no answer, and moving does."""
    floats = sample.named("f")
    chosen = sample.units[:_UNITS]
    if not floats or not _differ(chosen):
        return []
    for text, cause, cut, by in _CUTS:
        fractional = [
            u for u in chosen if any(bool((cut(u.columns[n]) != u.columns[n]).any()) for n in floats)
        ]
        # Numbers so small that nothing is left of them would make every model's answers alike.
        if len(fractional) < 2 or not _left(fractional, floats, cut):  # noqa: PLR2004 - one may be chance
            continue
        ways: list[Callable[[Any], Any]] = [np.asarray, cut, _mover(by)]
        trials = [asking.Trial(unit=unit, change=_on(floats, way)) for way in ways for unit in fractional]
        reply = yield asking.Ask(name=f"cut {text}", trials=trials)
        count = len(fractional)
        stays = [_same(reply, i, count + i) for i in range(count)]
        moves = [not _same(reply, i, 2 * count + i) for i in range(count)]
        if reply.answered.all() and all(stays) and all(moves):
            when = f"The answers do not change when inputs are {text}"
            return [grading.Finding(when=when, cause=cause, tier=grading.Tier.Single)]
    return (yield from _steps(sample, floats, chosen))


def _steps(
    sample: units.Sample, floats: tuple[str, ...], chosen: Sequence[units.Unit]
) -> asking.Search[list[grading.Finding]]:
    """Find out whether the answers only move in steps, as after a cast within the model."""
    inspected = sample.found.request.inspection
    if inspected is None or inspection.Clue.IntegerCast not in inspected.clues:
        return []
    ways: list[Callable[[Any], Any]] = [np.asarray, _nudger(_NUDGE), _nudger(2 * _NUDGE), _nudger(1.0)]
    trials = [asking.Trial(unit=unit, change=_on(floats, way)) for way in ways for unit in chosen]
    reply = yield asking.Ask(name="cut in steps", trials=trials)
    count = len(chosen)
    stays = [_same(reply, i, way * count + i) for i in range(count) for way in (1, 2)]
    moves = [not _same(reply, i, 3 * count + i) for i in range(count)]
    if not reply.answered.all() or not all(stays) or not any(moves):
        return []
    when = f"The answers do not change when inputs are moved by {_NUDGE:.1%} of the largest"
    return [grading.Finding(when=when, cause=causes.Cause.IntegerTruncation, tier=grading.Tier.Single)]


def _nudger(by: float) -> Callable[[Any], Any]:
    """Move away from zero, so that what was cut towards it is again; what is zero may be so by intent, and stays."""
    return lambda x: x + by * float(np.abs(x).max()) * np.sign(x)


def _mover(by: float) -> Callable[[Any], Any]:
    return lambda x: x + by * np.maximum(np.abs(x), 1.0)


def _on(names: tuple[str, ...], function: Callable[[Any], Any]) -> asking.Change:
    def change(columns: units.Columns) -> units.Columns:
        return {name: function(a) if name in names else a for name, a in columns.items()}

    return change


def _differ(chosen: Sequence[units.Unit]) -> bool:
    answered = [unit.answered for unit in chosen if unit.answered]
    return any(
        other.keys() == answered[0].keys()
        and any(other[n].shape != a.shape or bool((other[n] != a).any()) for n, a in answered[0].items())
        for other in answered[1:]
    )


def _left(fractional: Sequence[units.Unit], floats: tuple[str, ...], cut: Callable[[Any], Any]) -> bool:
    rows = {b"".join(cut(unit.columns[n]).tobytes() for n in floats) for unit in fractional}
    return len(rows) > 1


def _same(reply: asking.Reply, one: int, other: int) -> bool:
    """Whether two answers of one request are the same but for the last bits, which may differ with the row."""
    return all(
        bool(np.allclose(a[one], a[other], rtol=_LAST_BITS, atol=0.0, equal_nan=True))
        if a.dtype.kind == "f"
        else bool((a[one] == a[other]).all())
        for a in reply.outputs.values()
    )
