"""Which memory limit to set: from what the model needs at least, what was used, and what was not enough."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from tfserving_operator.core import quantities

GROWTH: Final = 2
"""A kill says that the limit was too low, not by how much: doubling ends the search in a few steps."""
FLOOR_HEADROOM: Final = Fraction(5, 4)
"""A server loads at its floor, but slowly: its own code is evicted and read again."""
WORK_BYTES: Final = 128 * quantities.MI
"""Beside the floor: tensors of requests, and the code's pages that are used over and over."""
PEAK_HEADROOM: Final = Fraction(5, 4)
"""Above the largest working set that was measured: measurements are few, and the next batch may be larger."""
STEP_BYTES: Final = 64 * quantities.MI
"""Recommendations are whole multiples of it, so that they read like something a person would write."""


def recommended_limit(
    *,
    floor_bytes: int | None = None,
    need_bytes: int | None = None,
    peak_bytes: int | None = None,
    not_enough: Iterable[str] = (),
    before: str | None = None,
) -> str | None:
    """A memory limit to set, such as "768Mi"; None where nothing is known.

    Parameters
    ----------
    floor_bytes
        Below it the model cannot be loaded.
    need_bytes
        With it the first predictions of few rows are answered.
    peak_bytes
        The largest working set that was measured of a server of the model.
    not_enough
        Limits under which the model was killed, or too slow for want of memory: quantities; "" is passed over.
    before
        The recommendation so far: what has been seen to be needed is not forgotten.
    """
    wanted: list[Fraction] = [GROWTH * quantities.parse_quantity(limit) for limit in not_enough if limit]
    if floor_bytes is not None:
        wanted.append(FLOOR_HEADROOM * floor_bytes + WORK_BYTES)
    if need_bytes is not None:
        wanted.append(Fraction(need_bytes + WORK_BYTES))
    if peak_bytes is not None:
        wanted.append(PEAK_HEADROOM * peak_bytes)
    if before:
        wanted.append(quantities.parse_quantity(before))
    if not wanted:
        return None
    steps = max(1, -(-max(wanted) // STEP_BYTES))
    return quantities.format_bytes(int(steps) * STEP_BYTES)
