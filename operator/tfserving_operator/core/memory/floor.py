"""What loading a model takes: the least that was seen, and what it takes to answer too.

The floor is a lower bound: under a limit that it refuses, no server was seen to load. The need is an upper one: under
it every server that was measured answered its first predictions. The constants come from runs of the development
model server with TensorFlow's own runtime under the kernel's limits (`benchmarks/memory_floor.py`;
docs/memory-floor.md has the figures). Threads, batches and the type of the weights do not enter: their share of what
it takes to load was too small to be measured, or is in the bytes already.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tfserving_operator.core import quantities

BASE_BYTES: Final = 64 * quantities.MI
"""Of a server with the smallest model: heap and stacks, which no file backs. Measured: 68.6 MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """How many bytes of memory it takes for what a model holds."""

    base_bytes: int
    """Of a server with the smallest model."""
    variables: Fraction
    """For each byte of `variables/`: they are read straight into tensors."""
    graph: Fraction
    """For each byte of the main graph: every copy that the runtime makes of it holds its constants."""
    functions: Fraction
    """The same for the graph's functions, which are copied more often while they are optimised."""
    node_bytes: int
    """For each node, beside the bytes that it takes in the file."""


FLOOR: Final = Rates(
    base_bytes=BASE_BYTES,
    variables=Fraction(1),
    graph=Fraction(9, 2),
    functions=Fraction(13),
    node_bytes=6 * quantities.KI,
)
"""Of loading; a little below the least that was measured."""
NEED: Final = Rates(
    base_bytes=76 * quantities.MI,
    variables=Fraction(21, 20),
    graph=Fraction(16),
    functions=Fraction(18),
    node_bytes=24 * quantities.KI,
)
"""Of loading and of the first predictions; a little above the most that was measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What a model holds."""

    variable_bytes: int
    """Of the files of `variables/`."""
    graph_bytes: int
    """Of the graph's file, constants included."""
    function_bytes: int = 0
    """How many of them are the graph's functions."""
    nodes: int = 0
    """Of the graph and its functions."""


def bytes_of(size: Size, rates: Rates) -> int:
    """The memory that a model takes."""
    graph = rates.graph * (size.graph_bytes - size.function_bytes) + rates.functions * size.function_bytes
    return (
        rates.base_bytes + int(rates.variables * size.variable_bytes + graph) + rates.node_bytes * size.nodes
    )


def floor_bytes(size: Size) -> int:
    """The least memory in which a server can load a model."""
    return bytes_of(size, FLOOR)


def need_bytes(size: Size) -> int:
    """The memory in which a server answers its first predictions, of few rows."""
    return bytes_of(size, NEED)
