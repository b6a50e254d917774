"""The memory floor: below it a model server cannot load a model, whatever is done.

It is a lower bound, and never a recommendation: under a limit that it refuses, no server was seen to load. The
constants come from runs of the development model server with TensorFlow's own runtime under the kernel's limits
(`benchmarks/memory_floor.py`; docs/memory-floor.md has the figures). Threads, batches and the type of the weights
do not enter: their share of what it takes to load was too small to be measured, or is in the bytes already.
"""

from fractions import Fraction
from typing import Final

from tfserving_operator.core import quantities

BASE_BYTES: Final = 62 * quantities.MI
"""Of a server with the smallest model: heap and stacks, which no file backs."""
VARIABLES: Final = Fraction(1)
"""Bytes in memory for each byte of `variables/`: they are read straight into tensors."""
GRAPH: Final = Fraction(9)
"""Bytes in memory for each byte of the graph's file: constants are held by every copy that the runtime makes of it."""


def floor_bytes(*, variable_bytes: int, graph_bytes: int) -> int:
    """The least memory in which a server can load a model.

    Parameters
    ----------
    variable_bytes
        Size of the files of `variables/`; 0 where the server's own memory does not hold them, as on a GPU.
    graph_bytes
        Size of the graph's file, constants included.
    """
    return BASE_BYTES + int(VARIABLES * variable_bytes + GRAPH * graph_bytes)
