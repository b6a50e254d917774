"""Whether the server's memory limit is enough to load the model that was looked at."""

import dataclasses
from dataclasses import dataclass

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection, memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What the server of the pod may use."""

    memory_bytes: int = 0
    """0 where it is not known."""
    enforced: bool = True
    """Whether a server that cannot load its model is kept from being started."""
    weights_elsewhere: bool = False
    """Whether the variables are not held in the server's own memory: on a GPU, or mapped from a file."""


def compared(found: inspection.Inspection, limit: Limit, *, has_passed: bool) -> inspection.Inspection:
    """The inspection with floor and limit, and refused where it must be.

    A revision that has passed its test under this limit is never refused: then the floor is what is wrong.
    """
    size = memory.Size(variable_bytes=0, graph_bytes=0)
    if not limit.weights_elsewhere:
        size = memory.Size(
            variable_bytes=found.variable_bytes,
            graph_bytes=found.graph_bytes,
            function_bytes=found.function_bytes,
            nodes=found.nodes,
        )
    found = dataclasses.replace(
        found,
        memory_floor=memory.floor_bytes(size),
        memory_need=memory.need_bytes(size),
        memory_limit=limit.memory_bytes,
    )
    if found.reason or has_passed or not limit.enforced or not found.is_below_floor:
        return found
    return dataclasses.replace(
        found, reason=reasons.Reason.MemoryBelowFloor, message=inspection.below_floor(found)
    )
