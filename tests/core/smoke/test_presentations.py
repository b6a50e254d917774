import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.smoke import recorded
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, encoding, presentations


def case(name: str, count: int, form: str = "row") -> cases.Case:
    rows = [[float(i), float(len(name))] for i in range(count)]
    match form:
        case "row":
            return cases.Case(name=name, instances=rows)
        case "named rows":
            return cases.Case(name=name, instances=[{"x": row, "k": "a"} for row in rows])
        case "columns":
            return cases.Case(name=name, inputs={"x": np.array(rows), "k": ["a"] * count})
        case _:
            return cases.Case(name=name, inputs=rows)


FORMS = ["row", "named rows", "columns", "bare column"]


@pytest.mark.parametrize("form", FORMS)
def test_each_row_of_a_case_is_a_case(form):
    split = presentations.rows(case("a", 3, form))

    assert len(split) == presentations.count(case("a", 3, form)) == 3
    assert all(presentations.count(row) == 1 for row in split)
    assert len({encoding.digest(row.payload) for row in split}) == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(FORMS)), min_size=1, max_size=12))
def test_what_is_sent_is_bounded_and_every_row_is_one_of_its_case(shapes):
    sent = [case(f"c{i}", count, form) for i, (count, form) in enumerate(shapes)]
    by_name = {each.name: each for each in sent}
    sizes = {each.name: len(encoding.body(each, "s")) for each in sent}

    alone = presentations.alone(sent, None)
    assert sum(len(rows) for rows in alone.values()) <= presentations.MAX_ALONE
    for name, rows in alone.items():
        for row, original in zip(rows, presentations.rows(by_name[name]), strict=False):
            assert encoding.digest(row.payload) == encoding.digest(original.payload)

    joint = presentations.together(sent, sizes, None)
    if joint is None:
        return
    assert 2 <= len(joint.rows) == presentations.count(joint.case) <= presentations.MAX_TOGETHER
    shuffled = presentations.permuted(joint)
    assert sorted(shuffled.rows) == sorted(joint.rows)
    assert all(before != after for before, after in zip(joint.rows, shuffled.rows, strict=True))
    for plan in (joint, shuffled):
        for (name, index), row in zip(plan.rows, presentations.rows(plan.case), strict=True):
            original = presentations.rows(by_name[name])[index]
            assert encoding.digest(row.payload) == encoding.digest(original.payload)


@pytest.mark.parametrize(("most", "rows"), [(None, 12), (32, 12), (5, 5), (2, 2), (1, None)])
def test_a_joint_request_has_no_more_rows_than_the_server_takes_in_a_batch(most, rows):
    sent = [case(f"c{i}", 3) for i in range(4)]
    sizes = {each.name: len(encoding.body(each, "s")) for each in sent}

    joint = presentations.together(sent, sizes, None, most)
    assert (joint and len(joint.rows)) == rows


def test_rows_of_different_structures_are_not_joined():
    ragged = [
        cases.Case(name="a", instances=[["x", "y"]]),
        cases.Case(name="b", instances=[["x"]]),
        cases.Case(name="c", instances=[[1.0, 2.0]]),
        cases.Case(name="d", inputs={"x": [[1.0, 2.0]]}),
    ]
    assert presentations.together(ragged, dict.fromkeys("abcd", 10), None) is None


def test_a_joint_request_has_no_more_bytes_than_it_may():
    sent = [case(f"c{i}", 1) for i in range(12)]

    joint = presentations.together(sent, {each.name: 2 * 1024 * 1024 for each in sent}, None)

    assert joint is not None
    assert len(joint.rows) == 4
    assert presentations.together(sent, {each.name: 5 * 1024 * 1024 for each in sent}, None) is None


def test_a_model_whose_first_axis_is_no_batch_is_sent_its_cases_as_written():
    fixed = inspection.Signature(
        method="m",
        inputs={"x": inspection.Tensor(dtype="DT_FLOAT", shape=(2, 4))},
        outputs={"y": recorded.FLOATS},
    )
    sent = [case(f"c{i}", 2) for i in range(4)]

    assert presentations.alone(sent, fixed) == {}
    assert presentations.together(sent, dict.fromkeys(["c0", "c1", "c2", "c3"], 9), fixed) is None
