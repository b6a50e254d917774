"""The memory floor: below it a model server cannot load a model, whatever is done.

It is a lower bound, and never a recommendation: under a limit that it refuses, no server was seen to load. The
constants come from runs of the development model server with TensorFlow's own runtime under the kernel's limits
(`benchmarks/memory_floor.py`; docs/memory-floor.md has the figures). Threads, batches and the type of the weights
do not enter: their share of what it takes to load was too small to be measured, or is in the bytes already.
"""

from fractions import Fraction
from typing import Final

from tfserving_operator.core import quantities

BASE_BYTES: Final = 66 * quantities.MI
"""Of a server with the smallest model: heap and stacks, which no file backs. Measured: 68.6 MiB."""
VARIABLES: Final = Fraction(1)
"""Bytes in memory for each byte of `variables/`: they are read straight into tensors."""
GRAPH: Final = Fraction(5)
"""Bytes in memory for each byte of the main graph: every copy that the runtime makes of it holds its constants."""
FUNCTIONS: Final = Fraction(13)
"""The same for the graph's functions, which are copied more often while they are optimised."""
NODE_BYTES: Final = 6 * quantities.KI
"""For each node, beside the bytes that it takes in the file."""


def floor_bytes(*, variable_bytes: int, graph_bytes: int, function_bytes: int = 0, nodes: int = 0) -> int:
    """The least memory in which a server can load a model.

    Parameters
    ----------
    variable_bytes
        Size of the files of `variables/`.
    graph_bytes
        Size of the graph's file, constants included.
    function_bytes
        How many of them are the graph's functions.
    nodes
        Of the graph and its functions.
    """
    graph = GRAPH * (graph_bytes - function_bytes) + FUNCTIONS * function_bytes
    return BASE_BYTES + int(VARIABLES * variable_bytes + graph) + NODE_BYTES * nodes
