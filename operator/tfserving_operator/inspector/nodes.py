"""The nodes of a graph and of its functions, found by name and read when they are asked for.

Field numbers are those of tensorflow/core/framework/{graph,function,node_def,op_def}.proto.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tfserving_operator.inspector import protos, wire

MAX_NODES: Final = 200_000
"""Of one graph or function."""
MAX_FUNCTIONS: Final = 50_000
_MAX_INPUTS: Final = 4096

_NODES, _LIBRARY, _FUNCTIONS = 1, 2, 1
_NODE_NAME, _NODE_OP, _NODE_INPUT, _NODE_ATTRIBUTE = 1, 2, 3, 5
_KEY, _VALUE = 1, 2
_SIGNATURE, _FUNCTION_NODES, _RETURNS, _CONTROL_RETURNS = 1, 3, 4, 6
_NAME, _INPUT_ARGUMENT, _OUTPUT_ARGUMENT = 1, 2, 3

Span = tuple[int, int]


@dataclass(slots=True, eq=False)
class Node:
    """One node."""

    op: str
    inputs: tuple[str, ...]
    message: wire.Message

    def attribute(self, name: str) -> protos.Attribute:
        """Read an attribute."""
        return protos.Attribute(next((value for key, value in self._attributes() if key == name), None))

    def functions(self) -> list[str]:
        """Names of all functions in its attributes, in the order in which they are written."""
        return [name for _key, value in self._attributes() for name in protos.Attribute(value).functions()]

    def _attributes(self) -> Iterator[tuple[str, wire.Message]]:
        for entry in self.message.messages(_NODE_ATTRIBUTE):
            value = entry.message(_VALUE)
            if value is not None:
                yield entry.text(_KEY), value


class Nodes:
    """Nodes by name."""

    def __init__(self, buffer: wire.Buffer, budget: wire.Budget) -> None:
        self._buffer = buffer
        self._budget = budget
        self._spans: dict[str, Span] = {}

    def add(self, message: wire.Message) -> str:
        """Index a node, and give its op."""
        name = op = ""
        seen = 0
        for number, start, end in message.spans():
            if number in (_NODE_NAME, _NODE_OP):
                text = wire.Message(message.buffer, start, max(end, start), message.budget).as_text()
                name, op = (text, op) if number == _NODE_NAME else (name, text)
                seen += 1
                if seen == 2:  # noqa: PLR2004 - both are there
                    break
        if len(self._spans) < MAX_NODES:
            self._spans[name] = (message.start, message.end)
        return op

    def get(self, name: str) -> Node | None:
        """Read a node; None when there is none of this name."""
        span = self._spans.get(name)
        if span is None:
            return None
        message = wire.Message(self._buffer, *span, self._budget)
        op = ""
        inputs: list[str] = []
        for number, start, end in message.spans():
            if number == _NODE_OP and end >= 0:
                op = wire.Message(self._buffer, start, end, self._budget).as_text()
            elif number == _NODE_INPUT and end >= 0 and len(inputs) < _MAX_INPUTS:
                inputs.append(wire.Message(self._buffer, start, end, self._budget).as_text())
        return Node(op=sys.intern(op), inputs=tuple(inputs), message=message)


@dataclass(slots=True, eq=False)
class Function:
    """A function of the library."""

    arguments: tuple[str, ...]
    returns: tuple[str, ...]
    """What each output is, such as `MatMul:product:0`, or an argument."""
    control: tuple[str, ...]
    """Nodes that run whatever is asked for."""
    nodes: Nodes


class Library:
    """Functions by name, each read once, when it is asked for."""

    def __init__(self, buffer: wire.Buffer, budget: wire.Budget) -> None:
        self._buffer = buffer
        self._budget = budget
        self._spans: dict[str, Span] = {}
        self._read: dict[str, Function] = {}

    def add(self, message: wire.Message, ops: Counter[str]) -> None:
        """Index a function, and count its ops."""
        for number, start, end in message.spans():
            if end < 0:
                continue
            held = wire.Message(message.buffer, start, end, message.budget)
            if number == _SIGNATURE and len(self._spans) < MAX_FUNCTIONS:
                self._spans[held.text(_NAME)] = (message.start, message.end)
            elif number == _FUNCTION_NODES:
                ops[held.text(_NODE_OP)] += 1

    def __contains__(self, name: str) -> bool:
        return name in self._spans

    def get(self, name: str) -> Function | None:
        """Read a function; None when there is none of this name."""
        span = self._spans.get(name)
        if span is None:
            return None
        if name not in self._read:
            self._read[name] = self._function(wire.Message(self._buffer, *span, self._budget))
        return self._read[name]

    def _function(self, message: wire.Message) -> Function:
        nodes = Nodes(self._buffer, self._budget)
        arguments: list[str] = []
        outputs: list[str] = []
        returns: dict[str, str] = {}
        control: list[str] = []
        for number, held in message.fields():
            if not isinstance(held, wire.Message):
                continue
            if number == _SIGNATURE:
                arguments = [argument.text(_NAME) for argument in held.messages(_INPUT_ARGUMENT)]
                outputs = [argument.text(_NAME) for argument in held.messages(_OUTPUT_ARGUMENT)]
            elif number == _FUNCTION_NODES:
                nodes.add(held)
            elif number == _RETURNS:
                returns[held.text(_KEY)] = held.text(_VALUE)
            elif number == _CONTROL_RETURNS:
                control.append(held.text(_VALUE))
        return Function(
            arguments=tuple(arguments),
            returns=tuple(returns.get(output, "") for output in outputs),
            control=tuple(control),
            nodes=nodes,
        )


def index(graph: wire.Message, ops: Counter[str], nodes: Nodes, library: Library) -> int:
    """Index a GraphDef, count its ops, and return how many bytes its functions take."""
    function_bytes = 0
    for number, held in graph.fields():
        if not isinstance(held, wire.Message):
            continue
        if number == _NODES:
            ops[nodes.add(held)] += 1
        elif number == _LIBRARY:
            function_bytes += held.end - held.start
            for function in held.messages(_FUNCTIONS):
                library.add(function, ops)
    return function_bytes
