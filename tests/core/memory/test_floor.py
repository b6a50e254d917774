"""The memory floor, held to what was measured of real servers (benchmarks/memory_floor.json)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import floor_report
from tfserving_operator.core import memory, quantities

ROWS = floor_report.read(floor_report.RESULTS)
BYTES = st.integers(0, 10**12)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_no_limit_under_which_the_model_answered_is_refused(row):
    assert row.falsely_refused == []
    assert row.floor < row.loads <= row.answers


def test_nine_of_ten_limits_that_cannot_load_a_model_are_refused():
    assert len(ROWS) >= 10
    assert floor_report.refused(ROWS) >= 0.9


def test_each_kind_of_model_is_among_those_that_were_measured():
    kinds = {row.name.partition("-")[0] for row in ROWS}
    assert {"dense", "lookup", "half", "constant", "frozen", "resnet50"} <= kinds
    assert min(row.variable_bytes for row in ROWS if row.name.startswith("dense-")) <= 2 * quantities.MI


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_recommended_limit_is_one_under_which_the_model_answers(row):
    assert row.recommended >= row.answers


def test_the_page_shows_what_was_measured():
    assert floor_report.table(ROWS) in floor_report.PAGE.read_text()


@given(BYTES, BYTES, st.integers(0, 100_000))
def test_the_floor_holds_the_variables_and_grows_with_everything(variables, graph, nodes):
    size = memory.Size(variable_bytes=variables, graph_bytes=graph, nodes=nodes)
    floor = memory.floor_bytes(size)
    assert floor >= memory.BASE_BYTES + variables + graph
    assert floor < memory.need_bytes(size)
    larger = memory.Size(variable_bytes=variables + 1, graph_bytes=graph, nodes=nodes + 1)
    assert floor < memory.floor_bytes(larger)
    in_functions = memory.Size(variable_bytes=variables, graph_bytes=graph, function_bytes=graph, nodes=nodes)
    assert memory.floor_bytes(in_functions) >= floor
