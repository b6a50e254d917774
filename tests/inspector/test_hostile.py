"""Files that are made to cost: each is run as the container runs it, with its time and memory measured."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inspector import pb
from tfserving_operator.core import inspection
from tfserving_operator.inspector import analysis, savedmodel, wire

MOST_SECONDS = 8
"""Of CPU, on a machine that does other things beside; the slowest takes about 2."""
MOST_KIBIBYTES = 128 * 1024
"""Half of what the container has. Pages of the mapped file are not counted: the kernel takes them back."""
CALL = "PartitionedCall"


def deep_attributes() -> bytes:
    nested = b""
    for _ in range(20_000):
        nested = pb.field(10, pb.field(2, pb.entry("f", nested)))
    return pb.saved_model(
        [pb.node("x", "Placeholder"), pb.node("y", CALL, "x") + pb.field(5, pb.entry("f", nested))]
    )


def tiny_fields() -> bytes:
    return pb.saved_model([b""] * 4_000_000)


def many_nodes() -> bytes:
    chain = [pb.node(f"n{i}", "Relu", f"n{i - 1}") for i in range(150_000)]
    return pb.saved_model(chain, fed="n0", fetched="n149999")


def long_names() -> bytes:
    return pb.saved_model([pb.node(f"{i}" + "n" * 5000, "O" * 5000 + str(i)) for i in range(20_000)])


def wide_node() -> bytes:
    return pb.saved_model([pb.node("x", "Placeholder"), pb.node("y", "AddN", *["x"] * 1_000_000)])


def many_attributes() -> bytes:
    attributes = b"".join(pb.field(5, pb.entry(f"a{i}", b"\x18\x01")) for i in range(500_000))
    return pb.saved_model([pb.node("x", "Placeholder"), pb.node("y", CALL, "x") + attributes])


def large_constants() -> bytes:
    words = pb.field(1, 7) + pb.field(8, b"w") * 2_000_000
    keys = pb.node("keys", "Const") + pb.field(5, pb.entry("value", pb.field(8, words)))
    table = pb.node("table", "HashTableV2")
    filled = pb.node("fill", "LookupTableImportV2", "table", "keys", "keys")
    init = pb.field(4, pb.entry("saved_model_main_op", pb.field(1, pb.field(1, "fill"))))
    return pb.saved_model(
        [keys, table, filled, pb.node("x", "Placeholder"), pb.node("y", "Relu", "x")], rest=init
    )


def cyclic_graph() -> bytes:
    ring = [pb.node(f"n{i}", "Merge", f"n{(i + 1) % 1000}", f"n{(i * 7) % 1000}") for i in range(1000)]
    return pb.saved_model([*ring, pb.node("x", "Placeholder")], fetched="n0")


def recursive_functions() -> bytes:
    itself = pb.function("f", ["a"], {"r": "c:output:0"}, pb.node("c", CALL, "a", f="g"))
    other = pb.function(
        "g", ["a"], {"r": "c:output:0"}, pb.node("c", CALL, "a", f="f"), pb.node("d", CALL, f="g")
    )
    return pb.saved_model([pb.node("x", "Placeholder"), pb.node("y", CALL, "x", f="f")], [itself, other])


def doubling_functions() -> bytes:
    """2^200 ways through them."""
    levels = [
        pb.function(
            f"f{i}",
            ["a"],
            {"r": "c:output:0"},
            pb.node("b", CALL, "a", f=f"f{i + 1}"),
            pb.node("c", CALL, "b:output:0", f=f"f{i + 1}"),
        )
        for i in range(200)
    ]
    last = pb.function("f200", ["a"], {"r": "b:y:0"}, pb.node("b", "Relu", "a"))
    return pb.saved_model([pb.node("x", "Placeholder"), pb.node("y", CALL, "x", f="f0")], [*levels, last])


def many_callers() -> bytes:
    """Each of many calls gives each of many arguments."""
    names = [f"a{i}" for i in range(2000)]
    summed = pb.function("f", names, {"r": "s:sum:0"}, pb.node("s", "AddN", *names))
    calls = [pb.node(f"c{i}", CALL, *["x"] * 2000, f="f") for i in range(100)]
    total = pb.node("y", "AddN", *[f"c{i}" for i in range(100)])
    return pb.saved_model([pb.node("x", "Placeholder"), *calls, total], [summed])


def many_signatures() -> bytes:
    model = pb.saved_model([pb.node("x", "Placeholder"), pb.node("y", "Relu", "x")])
    info = pb.field(1, "x:0") + pb.field(2, 1)
    tensors = b"".join(pb.field(1, pb.entry(f"{i}" + "i" * 3000, info)) for i in range(300))
    many = b"".join(pb.field(5, pb.entry(f"s{i}" + "s" * 3000, tensors)) for i in range(40))
    return pb.field(2, pb.field(1, pb.field(4, "serve")) + many) + model


HOSTILE: list[Callable[[], bytes]] = [
    deep_attributes,
    tiny_fields,
    many_nodes,
    long_names,
    wide_node,
    many_attributes,
    large_constants,
    cyclic_graph,
    recursive_functions,
    doubling_functions,
    many_callers,
    many_signatures,
]
PROGRAM = """
import json, resource, sys
from pathlib import Path
from tfserving_operator import inspector
code = inspector.main(Path(sys.argv[1]), 1, None)
private = [line for line in open("/proc/self/status") if line.startswith("RssAnon")][0].split()[1]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"code": code, "seconds": used.ru_utime + used.ru_stime, "private": int(private)}))
"""


def run(folder: Path) -> tuple[inspection.Inspection, dict[str, float]]:
    """Inspect as the container does; heap that was given back by then counts by the address space that is allowed."""
    log = folder / "termination-log"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERMINATION_LOG_PATH": str(log)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MOST_KIBIBYTES * 1024,) * 2),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert log.stat().st_size <= inspection.MESSAGE_BYTES
    found = inspection.parse_termination_message(log.read_text())
    assert found is not None
    return found, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_graph_costs_a_bounded_amount(make: Callable[[], bytes], tmp_path: Path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(make())

    found, cost = run(tmp_path)

    assert found.reason in ("", "ModelInvalid")
    assert cost["seconds"] < MOST_SECONDS
    assert cost["private"] < MOST_KIBIBYTES


def test_two_gigabytes_of_constants_are_stepped_over(tmp_path: Path):
    """The file is sparse. Its digest, for which all of it is read, is not part of this."""
    path = tmp_path / "saved_model.pb"
    size = (1 << 31) - 4096
    attribute = pb.varint(8 << 3 | 2) + pb.varint(size)
    value = pb.varint(2 << 3 | 2) + pb.varint(len(attribute) + size)
    held = pb.field(1, "value") + value
    whole = pb.varint(5 << 3 | 2) + pb.varint(len(held) + len(attribute) + size)
    head = pb.field(1, "y") + pb.field(2, "Const")
    length = len(head) + len(whole) + len(held) + len(attribute) + size
    graph_head = pb.varint(1 << 3 | 2) + pb.varint(length) + head + whole + held + attribute
    graph = pb.varint(2 << 3 | 2) + pb.varint(len(graph_head) + size)
    tags = pb.field(1, pb.field(4, "serve"))
    meta = pb.varint(2 << 3 | 2) + pb.varint(len(tags) + len(graph) + len(graph_head) + size)
    with path.open("wb") as file:
        file.write(meta + tags + graph + graph_head)
        file.truncate(file.tell() + size)

    with savedmodel.opened(path) as found:
        assert found is not None
        assert (found.complete, dict(found.ops)) == (True, {"Const": 1})


def test_what_recursion_hides_is_no_clue(tmp_path: Path):
    (tmp_path / "1").mkdir()
    for make in (recursive_functions, doubling_functions, cyclic_graph, many_callers):
        with contextlib.nullcontext(savedmodel.parse(make())) as graph:
            assert graph is not None
            clues = analysis.analyse(graph).clues
        expected = {inspection.Clue.InputDisconnected, inspection.Clue.ConstantOutput}
        assert set(clues) == (expected if make is cyclic_graph or make is recursive_functions else set())


@pytest.mark.parametrize(
    "node",
    [
        pb.node("y", CALL, "x", f="absent"),
        pb.node("y", CALL, "x"),
        pb.node("y", "If", "x", "x", then_branch="absent", else_branch="absent"),
        pb.node("y", "While", "x", cond="absent", body="absent"),
        pb.node("y", "Relu", "absent"),
    ],
)
def test_what_cannot_be_followed_is_not_called_disconnected(node):
    graph = savedmodel.parse(pb.saved_model([pb.node("x", "Placeholder"), node]))

    assert graph is not None
    assert analysis.analyse(graph).clues == {}


@pytest.mark.parametrize("op", ["StopGradient", "TensorSliceDataset", "Relu"])
def test_ops_without_functions_leave_no_gap(op):
    graph = savedmodel.parse(
        pb.saved_model([pb.node("x", "Placeholder"), pb.node("z", "Const"), pb.node("y", op, "z")])
    )

    assert graph is not None
    assert inspection.Clue.InputDisconnected in analysis.analyse(graph).clues


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_graphs_are_looked_at_without_harm(small_graph, data):
    content = bytearray(small_graph)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.MalformedError):
        graph = savedmodel.parse(bytes(content), max_fields=20_000)
        if graph is not None:
            graph.steps.left = 20_000
            analysis.analyse(graph)


@pytest.fixture(scope="module")
def small_graph(graphs: Path) -> bytes:
    return (graphs / "parsed" / "1" / "saved_model.pb").read_bytes()
