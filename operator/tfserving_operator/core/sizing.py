"""Which memory limit to recommend after a model server was killed for memory."""

from typing import Final

from tfserving_operator.core import quantities

MIB: Final = 1024 * 1024
SERVER_BASE_BYTES: Final = 256 * MIB
"""What the server needs beside its model: its own heap and the pages of its code that it keeps using."""
GROWTH_AFTER_KILL: Final = 2
"""A kill says that the limit was too low, not by how much: doubling ends the search in a few steps."""
STEP_BYTES: Final = 64 * MIB
"""Recommendations are whole multiples of it, so that they read like something a person would write."""


def recommend_memory_limit(*, limit: str, model_bytes: int | None) -> str:
    """A memory limit that is worth a try after a kill, such as "768Mi".

    Parameters
    ----------
    limit
        The limit under which the server was killed, a Kubernetes quantity.
    model_bytes
        Bytes of the model's variables, None where they are not known.
    """
    killed_at = int(quantities.parse_quantity(limit))
    floor = (model_bytes or 0) + SERVER_BASE_BYTES
    wanted = max(GROWTH_AFTER_KILL * killed_at, floor)
    return f"{-(-wanted // STEP_BYTES) * STEP_BYTES // MIB}Mi"
