"""Conditions that are decided when a model is exported, such as Keras's phase with TensorFlow 1.

Both sides are in the graph then, that of training too, and a constant or a placeholder's default chooses.
"""

from collections.abc import Callable
from typing import Final

from tfserving_operator.inspector import nodes, protos

MERGES: Final = frozenset({"Merge", "RefMerge"})
_SWITCHES: Final = frozenset({"Switch", "RefSwitch"})
_SAME: Final = frozenset({"Identity", "PlaceholderWithDefault", "Switch", "Enter"})
"""They pass a condition on as it is."""
_STEPS: Final = 16

Look = Callable[[str], nodes.Node | None]
"""Gives the node of a name; None where there is none, or where a request feeds it."""


def constant(look: Look, tensor: str) -> bool | None:
    """The truth of a constant, or of a placeholder's default; None for what is not known beforehand."""
    for _ in range(_STEPS):
        node = look(tensor.partition(":")[0])
        if node is None:
            return None
        if node.op == "Const":
            value = node.attribute("value").tensor
            return protos.constant_boolean(value) if value is not None else None
        if node.op not in _SAME or not node.inputs:
            return None
        tensor = node.inputs[0]
    return None


def is_dead(look: Look, tensor: str) -> bool:
    """Whether a value comes from the side of a switch that is never taken."""
    for _ in range(_STEPS):
        name, _, rest = tensor.partition(":")
        node = look(name)
        data = [each for each in node.inputs if not each.startswith("^")] if node else []
        if node is None or not data:
            return False
        if node.op in _SWITCHES and len(data) > 1:
            taken = constant(look, data[1])
            return taken is not None and int(taken) != int(rest == "1")
        tensor = data[0]
    return False
