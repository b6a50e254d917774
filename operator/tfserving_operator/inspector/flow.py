"""How values flow through a graph and the functions that it calls, back from what is fetched.

A vertex is a node, or one output of a call; arguments and results of functions are vertices of their own. A function
that is called from several places counts once, with the inputs of all of them: that may find a path which is none,
and never misses one. Cycles cost nothing, since every vertex is visited once.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tfserving_operator.inspector import conditions, nodes, ops, wire

FED: Final = ":fed"
"""The op of a vertex that a signature feeds."""
_ARGUMENT, _RESULT, _CONTROL = ":argument", ":result", ":control"
INNER: Final = frozenset({_ARGUMENT, _RESULT, _CONTROL, FED})
"""Ops of vertices that are no nodes."""
_CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall"})
_BRANCHES: Final = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
LOOPS: Final = frozenset({"While", "StatelessWhile"})
_FUNCTIONAL: Final = re.compile("Dataset|Defun|Call|Launch|Function|SymbolicGradient|^For$|Composite|Scan")
"""Other ops that take functions: what they do with them is not looked at."""
_PASSED: Final = frozenset({"IdentityN", "Switch", "RefSwitch"})
SHAPE_OPS: Final = frozenset(
    {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "BroadcastGradientArgs"}
)
"""They see the form of their input, and not its values."""

_PASSED_ON: Final = 16

Key = tuple[str, str, int]
"""Function ("" for the graph), name, output."""


@dataclass(slots=True, eq=False)
class Vertex:
    """A node, or an output of a call."""

    scope: str
    """The function that it is in; "" for the graph itself."""
    name: str
    output: int
    op: str
    node: nodes.Node | None = None
    data: list[int] = field(default_factory=list)
    """What it is computed from."""
    control: tuple[int, ...] = ()
    """What runs before it, or with it."""


@dataclass(slots=True, eq=False)
class _Site:
    """A call of a function."""

    scope: str
    inputs: tuple[str, ...]
    first: int
    """Which input is the function's first argument; -1: any input may be any argument."""
    loops: bool = False
    body: str = ""
    """Of a loop: its results are the next round's arguments."""


class Flow:
    """The part of a graph that was asked for."""

    def __init__(
        self, graph: nodes.Nodes, library: nodes.Library, budget: wire.Budget, fed: Iterable[str] = ()
    ) -> None:
        self.vertices: list[Vertex] = []
        self.looped: set[str] = set()
        """Functions that run for parts of a batch: loops' bodies and what datasets map."""
        self.has_gaps = False
        """Whether a function that is called is not there."""
        self._graph = graph
        self._library = library
        self._budget = budget
        self._fed = {tensor.partition(":")[0] for tensor in fed}
        self._ids: dict[Key, int] = {}
        self._nodes: dict[str, dict[str, nodes.Node | None]] = {}
        self._sites: dict[str, list[_Site]] = {}
        self._arguments: dict[str, dict[int, int]] = {}
        self._known_sites: set[tuple[str, str, str]] = set()
        self._todo: list[int] = []

    def fetch(self, tensors: Iterable[str]) -> list[int]:
        """Add tensors (or ops) of the graph with all that they need, and give their vertices."""
        found = [self._tensor("", tensor) for tensor in tensors if tensor]
        while self._todo:
            self._expand(self._todo.pop())
        return found

    def fed(self, tensor: str) -> int | None:
        """The vertex of a tensor that is fed; None when nothing that was fetched needs it."""
        return self._ids.get(("", tensor.partition(":")[0], -1))

    def back(self, roots: Iterable[int], *, control: bool = False, only_values: bool = False) -> set[int]:
        """All that vertices depend on, themselves included."""
        seen = set(roots)
        todo = list(seen)
        while todo:
            vertex = self.vertices[todo.pop()]
            self._budget.spend()
            if only_values and vertex.op in SHAPE_OPS:
                continue
            for other in (*vertex.data, *vertex.control) if control else vertex.data:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def forward(self, roots: Iterable[int], within: set[int], stops: Callable[[int], bool]) -> set[int]:
        """All within a set that depends on vertices, themselves included, and not through those where it stops."""
        users = self.users(within)
        seen = {root for root in roots if root in within}
        todo = list(seen)
        while todo:
            for other in users.get(todo.pop(), ()):
                if other not in seen and not stops(other):
                    seen.add(other)
                    todo.append(other)
        return seen

    def source(self, index: int) -> int:
        """The vertex whose value this one passes on."""
        for _ in range(_PASSED_ON):
            vertex = self.vertices[index]
            is_step = vertex.op in ops.RESHAPES or (vertex.op in ops.STEPS and len(vertex.data) == 1)
            if not is_step or not vertex.data:
                break
            index = vertex.data[0]
        return index

    def users(self, within: set[int]) -> dict[int, list[int]]:
        """What each vertex is data of."""
        users: dict[int, list[int]] = {}
        for each in within:
            self._budget.spend()
            for other in self.vertices[each].data:
                users.setdefault(other, []).append(each)
        return users

    def _vertex(self, key: Key, op: str, node: nodes.Node | None = None) -> int:
        found = self._ids.get(key)
        if found is None:
            self._budget.spend(2)
            found = self._ids[key] = len(self.vertices)
            self.vertices.append(Vertex(scope=key[0], name=key[1], output=key[2], op=op, node=node))
            self._todo.append(found)
        return found

    def _node(self, scope: str, name: str) -> nodes.Node | None:
        known = self._nodes.setdefault(scope, {})
        if name not in known:
            function = self._library.get(scope) if scope else None
            known[name] = (function.nodes if function else self._graph).get(name)
        return known[name]

    def _tensor(self, scope: str, tensor: str) -> int:
        """The vertex of `name`, `name:1` (graph), `argument` or `name:output:1` (function)."""
        name, _, rest = tensor.partition(":")
        output = int(last) if (last := rest.rpartition(":")[2]).isdecimal() and len(last) < 6 else 0  # noqa: PLR2004
        if scope and not rest:
            function = self._library.get(scope)
            if function is not None and name in function.arguments:
                return self._argument(scope, function.arguments.index(name))
        elif not scope and name in self._fed:
            return self._vertex(("", name, -1), FED, self._node("", name))
        node = self._node(scope, name)
        op = node.op if node else ""
        keeps_outputs = op in _PASSED or self._called(op)
        return self._vertex((scope, name, output if keeps_outputs else -1), op, node)

    def _called(self, op: str) -> bool:
        return op in _CALLS or op in _BRANCHES or op in LOOPS or op in self._library

    def _argument(self, function: str, index: int) -> int:
        found = self._vertex((function, _ARGUMENT, index), _ARGUMENT)
        known = self._arguments.setdefault(function, {})
        if index not in known:
            known[index] = found
            for site in self._sites.get(function, ()):
                self._link(function, index, site)
        return found

    def _add_site(self, function: str, name: str, site: _Site) -> None:
        key = (function, site.scope, name)
        if key in self._known_sites:
            return
        self._known_sites.add(key)
        self._sites.setdefault(function, []).append(site)
        if site.loops:
            self.looped.add(function)
        for index in list(self._arguments.get(function, ())):
            self._link(function, index, site)

    def _link(self, function: str, index: int, site: _Site) -> None:
        self._budget.spend()
        argument = self.vertices[self._arguments[function][index]]
        if site.first < 0:
            argument.data += [self._tensor(site.scope, tensor) for tensor in site.inputs]
        elif index + site.first < len(site.inputs):
            argument.data.append(self._tensor(site.scope, site.inputs[index + site.first]))
        if site.body:
            argument.data.append(self._vertex((site.body, _RESULT, index), _RESULT))

    def _expand(self, found: int) -> None:
        vertex = self.vertices[found]
        if vertex.op == _RESULT:
            self._expand_result(vertex)
        elif vertex.op == _CONTROL:
            function = self._library.get(vertex.scope)
            if function is not None:
                vertex.control = tuple(self._tensor(vertex.scope, name) for name in function.control)
        elif vertex.node is not None and vertex.op != FED:
            self._expand_node(vertex, vertex.node)

    def _expand_result(self, vertex: Vertex) -> None:
        function = self._library.get(vertex.scope)
        if function is not None and vertex.output < len(function.returns):
            vertex.data.append(self._tensor(vertex.scope, function.returns[vertex.output]))

    def _expand_node(self, vertex: Vertex, node: nodes.Node) -> None:
        op, scope = node.op, vertex.scope
        data = tuple(tensor for tensor in node.inputs if not tensor.startswith("^"))
        vertex.control += tuple(self._tensor(scope, t[1:]) for t in node.inputs if t.startswith("^"))
        if op == "IdentityN":
            data = data[vertex.output : vertex.output + 1]
        elif op in _CALLS or op in self._library:
            functions = [op] if op in self._library else node.attribute("f").functions()
            self._call(vertex, functions, _Site(scope=scope, inputs=data, first=0))
            return
        elif op in _BRANCHES:
            self._call(vertex, self._branches(scope, node), _Site(scope=scope, inputs=data, first=1))
            data = data[:1]
        elif op in conditions.MERGES:
            look = self._looker(scope)
            data = tuple(tensor for tensor in data if not conditions.is_dead(look, tensor))
        elif op in LOOPS:
            self._loop(vertex, node, _Site(scope=scope, inputs=data, first=0, loops=True, body=_body(node)))
            data = data[vertex.output : vertex.output + 1]
        elif _FUNCTIONAL.search(op):
            functions = node.functions()
            self._call(vertex, functions, _Site(scope=scope, inputs=data, first=-1, loops=True), whole=True)
        vertex.data += [self._tensor(scope, tensor) for tensor in data]

    def _looker(self, scope: str) -> conditions.Look:
        return lambda name: None if not scope and name in self._fed else self._node(scope, name)

    def _branches(self, scope: str, node: nodes.Node) -> list[str]:
        """The functions that it may take: one, where the condition is a constant."""
        if node.op in ("Case", "StatelessCase"):
            return node.attribute("branches").functions()
        chosen = conditions.constant(self._looker(scope), node.inputs[0] if node.inputs else "")
        names = (
            ("then_branch", "else_branch") if chosen is None else (("else_branch", "then_branch")[chosen],)
        )
        return [function for name in names for function in node.attribute(name).functions()]

    def _call(self, vertex: Vertex, functions: list[str], site: _Site, *, whole: bool = False) -> None:
        self.has_gaps = self.has_gaps or not (functions or whole)
        for name in functions:
            function = self._library.get(name)
            if function is None:
                self.has_gaps = True
                continue
            self._add_site(name, vertex.name, site)
            results = range(len(function.returns)) if whole else (vertex.output,)
            vertex.data += [self._vertex((name, _RESULT, index), _RESULT) for index in results]
            vertex.control += (self._vertex((name, _CONTROL, 0), _CONTROL),)

    def _loop(self, vertex: Vertex, node: nodes.Node, site: _Site) -> None:
        self._call(vertex, [site.body], site)
        for name in node.attribute("cond").functions():
            self._add_site(name, vertex.name, site)
            vertex.data.append(self._vertex((name, _RESULT, 0), _RESULT))


def _body(node: nodes.Node) -> str:
    return next(iter(node.attribute("body").functions()), "")
