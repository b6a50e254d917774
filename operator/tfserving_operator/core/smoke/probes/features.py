"""Features in another order: found by asking for many orders at once, single swaps before whole permutations.

Slots are what can change places: the features of one input, or whole inputs of one type and shape. Up to
`EXACT` slots every order is tried; beyond that the best swaps are taken, round by round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Final

import numpy as np

from tfserving_operator.core.smoke import causes
from tfserving_operator.core.smoke.probes import asking, grading, tokens, units

EXACT: Final = 8
_MOST: Final = 64
"""Slots that a greedy search takes on."""
_TABLE_RANKS: Final = (2, 3)
"""Rows of features, and sequences of them."""
_ROUNDS: Final = 24
_GREEDY_UNITS: Final = 8
_KEPT: Final = (512, 48, 8)
"""Orders that are kept after the first, second and third unit."""
_BETTER: Final = 0.98
_BEAM_SWAPS: Final = 6
_TRIALS: Final = 6000
"""In one round of a greedy search."""

Order = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Slots that may change places."""

    names: tuple[str, ...]
    """What the slots are called."""
    inputs: tuple[str, ...]
    """One input whose last axis holds the slots, or the inputs that are the slots."""

    def candidate(
        self, order: Order, tier: grading.Tier = grading.Tier.Permutation, *, named: bool = False
    ) -> grading.Candidate:
        """Send slot `order[i]` in the place of slot i; a search over many orders leaves them without names."""

        def change(columns: units.Columns) -> units.Columns:
            if len(self.inputs) == 1:
                return {**columns, self.inputs[0]: columns[self.inputs[0]][..., list(order)]}
            moved = {name: columns[self.inputs[order[i]]] for i, name in enumerate(self.inputs)}
            return {**columns, **moved}

        return grading.Candidate(
            when=self._when(order) if named else "", cause=causes.Cause.FeatureOrder, change=change, tier=tier
        )

    def _when(self, order: Order) -> str:
        moved = [i for i, source in enumerate(order) if source != i]
        of = f" of {self.inputs[0]}" if len(self.inputs) == 1 else ""
        if len(moved) == 2:  # noqa: PLR2004 - a swap
            kind = "features" if of else "inputs"
            return f"{kind} {self.names[moved[0]]} and {self.names[moved[1]]}{of} are swapped"
        if order == tuple(reversed(range(len(order)))):
            return f"{'features' if of else 'inputs'}{of} are sent in reverse"
        if of:
            shown = ", ".join(str(source) for source in order[:16]) + (", …" if len(order) > 16 else "")  # noqa: PLR2004
            return f"features{of} are sent in the order {shown}"
        pairs = ", ".join(f"{self.names[order[i]]} as {self.names[i]}" for i in moved[:6])
        return f"inputs are sent under other names ({pairs}{', …' if len(moved) > 6 else ''})"  # noqa: PLR2004


def spaces(sample: units.Sample) -> Iterator[Space]:
    """What may change places in this model's inputs."""
    first = sample.units[0].columns
    alike: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, array in first.items():
        if not tokens.is_mask(name) and not tokens.is_length(name):
            kind = sample.signature.inputs[name].dtype
            alike.setdefault((kind, array.shape[1:]), []).append(name)
    for names in alike.values():
        if 2 <= len(names) <= _MOST:  # noqa: PLR2004 - two can be swapped
            yield Space(names=tuple(names), inputs=tuple(names))
    ids = set(tokens.ids(sample))
    for name, array in first.items():
        is_table = array.ndim in _TABLE_RANKS and array.dtype.kind in "fi"
        if is_table and 2 <= array.shape[-1] <= _MOST and (name not in ids or array.dtype.kind == "f"):  # noqa: PLR2004
            slots = tuple(str(i) for i in range(array.shape[-1]))
            yield Space(names=slots, inputs=(name,))


def search(sample: units.Sample) -> asking.Search[list[grading.Finding]]:
    """Find the order that restores the goldens: a swap, a common order, any order."""
    if not grading.with_goldens(sample):
        return []
    for number, space in enumerate(spaces(sample)):
        count = len(space.names)
        name = f"order {number}"
        simple = [space.candidate(order, tier, named=True) for order, tier in _simple(count)]
        found = yield from grading.screen(f"{name} simple", sample, simple)
        if any(finding.tier != grading.Tier.Close for finding in found):
            return found
        if count <= 2:  # noqa: PLR2004 - there are no others
            continue
        if count <= EXACT:
            found = yield from _exact(name, sample, space)
        else:
            found = yield from _greedy(name, sample, space)
        if found:
            return found
    return []


def _simple(count: int) -> Iterator[tuple[Order, grading.Tier]]:
    """Swaps; rotations, the reverse, and the order of names as text (1, 10, 11, 2 …)."""
    identity = tuple(range(count))
    seen = {identity}
    for i, j in combinations(identity, 2):
        order = _swapped(identity, i, j)
        seen.add(order)
        yield order, grading.Tier.Swap
    as_text = tuple(sorted(identity, key=str))
    others = [identity[::-1], as_text, tuple(int(i) for i in np.argsort(as_text))]
    others += [identity[k:] + identity[:k] for k in range(1, count)]
    for order in others:
        if order not in seen:
            seen.add(order)
            yield order, grading.Tier.Permutation


def _swapped(order: Order, i: int, j: int) -> Order:
    changed = list(order)
    changed[i], changed[j] = changed[j], changed[i]
    return tuple(changed)


def _exact(name: str, sample: units.Sample, space: Space) -> asking.Search[list[grading.Finding]]:
    """Every order on one unit, those that agree on the next, and so on."""
    rated = grading.with_goldens(sample)[:8]
    tried = list(permutations(range(len(space.names))))
    if not sample.by_row or sample.batch or not grading.is_proven(rated, len(tried)):
        return []
    total = len(tried)
    kept = [space.candidate(order) for order in tried]
    for round_number, unit in enumerate(rated[: len(_KEPT)]):
        scores = yield from grading.score(f"{name} exact {round_number}", sample, kept, [unit])
        agreeing = np.flatnonzero(scores.agree)
        if not len(agreeing):
            return []
        best = agreeing[np.argsort(scores.mean[agreeing], kind="stable")][: _KEPT[round_number]]
        kept, tried = [kept[int(i)] for i in best], [tried[int(i)] for i in best]
    kept = [space.candidate(order, named=True) for order in tried]
    scores = yield from grading.score(f"{name} exact proven", sample, kept, rated)
    found = grading.conclude(sample, kept, scores, rated, total)
    return [finding for finding in found if finding.tier != grading.Tier.Close][:1]


def _greedy(name: str, sample: units.Sample, space: Space) -> asking.Search[list[grading.Finding]]:
    """Take the best swaps and moves, round by round, until the goldens agree or nothing gets better."""
    rated = grading.with_goldens(sample)
    used = _spread_over(rated, _TRIALS // len(space.names) ** 2)
    if not sample.by_row or sample.batch or len(used) < 2:  # noqa: PLR2004 - nothing to compare
        return []
    order: Order = tuple(range(len(space.names)))
    best = grading.baseline(sample, used)
    tried = 0
    for round_number in range(_ROUNDS):
        orders = list(_neighbours(order))
        nearby = [space.candidate(o) for o in orders]
        scores = yield from grading.score(f"{name} greedy {round_number}", sample, nearby, used)
        tried += len(nearby)
        if scores.agree.any():
            order = orders[int(np.flatnonzero(scores.agree)[0])]
            return (yield from _prove(name, sample, space, order, tried))
        joint = list(_joined(order, orders, scores.mean, best))
        together = [space.candidate(o) for o in joint]
        if together:
            joint_scores = yield from grading.score(f"{name} joined {round_number}", sample, together, used)
            orders, means = orders + joint, np.concatenate([scores.mean, joint_scores.mean])
            if joint_scores.agree.any():
                order = joint[int(np.flatnonzero(joint_scores.agree)[0])]
                return (yield from _prove(name, sample, space, order, tried))
        else:
            means = scores.mean
        lowest = int(np.argmin(means))
        if not means[lowest] < _BETTER * best:
            return []
        order, best = orders[lowest], float(means[lowest])
    return []


def _prove(
    name: str, sample: units.Sample, space: Space, order: Order, tried: int
) -> asking.Search[list[grading.Finding]]:
    rated = grading.with_goldens(sample)[:16]
    chosen = [space.candidate(order, named=True)]
    scores = yield from grading.score(f"{name} greedy proven", sample, chosen, rated)
    return grading.conclude(sample, chosen, scores, rated, tried)


def _spread_over(rated: Sequence[units.Unit], affordable: int) -> Sequence[units.Unit]:
    return rated[: max(2, min(_GREEDY_UNITS, affordable))]


def _neighbours(order: Order) -> Iterator[Order]:
    """Every swap, and every move of one slot to another place."""
    seen = {order}
    for i, j in combinations(range(len(order)), 2):
        swapped = _swapped(order, i, j)
        seen.add(swapped)
        yield swapped
    for i in range(len(order)):
        rest = order[:i] + order[i + 1 :]
        for j in range(len(order)):
            moved = (*rest[:j], order[i], *rest[j:])
            if moved not in seen:
                seen.add(moved)
                yield moved


def _joined(order: Order, orders: Sequence[Order], means: units.Array, best: float) -> Iterator[Order]:
    """The best swaps that touch different slots, taken together: two of them, three of them and more."""
    changed: set[int] = set()
    joined = list(order)
    count = 0
    for index in np.argsort(means, kind="stable"):
        if not means[index] < _BETTER * best or count >= _BEAM_SWAPS:
            return
        moved = [i for i in range(len(order)) if orders[index][i] != order[i]]
        if len(moved) == 2 and not changed & set(moved):  # noqa: PLR2004 - a swap
            i, j = moved
            joined[i], joined[j] = joined[j], joined[i]
            changed |= set(moved)
            count += 1
            if count > 1:
                yield tuple(joined)
