import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfserving_operator.core.smoke import answers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"predictions": [[1.5, 2.0], [3.0, 4.0]]}', {"": [[1.5, 2.0], [3.0, 4.0]]}),
        ('{"predictions": [{"a": 1, "b": [2.0]}, {"a": 3, "b": [4.0]}]}', {"a": [1, 3], "b": [[2.0], [4.0]]}),
        ('{"outputs": [[1.0]]}', {"": [[1.0]]}),
        ('{"outputs": {"a": [1], "b": 2.5}}', {"a": [1], "b": 2.5}),
        ('{"outputs": 2.5}', {"": 2.5}),
        ('{"predictions": ["cat", "dog"]}', {"": ["cat", "dog"]}),
        ('{"predictions": [{"b64": "Y2F0"}, {"b64": "ZG9n"}]}', {"": ["Y2F0", "ZG9n"]}),
        ('{"predictions": [true, false]}', {"": [True, False]}),
        ('{"predictions": []}', {"": []}),
    ],
)
def test_row_and_columnar_answers_become_arrays_by_name(body, expected):
    answer = answers.read(200, body.encode())

    assert answer.succeeded
    assert {name: array.tolist() for name, array in answer.outputs.items()} == expected


def test_bare_tokens_that_json_does_not_have_are_read():
    (row,) = answers.read(200, b'{"predictions": [[NaN, Infinity, -Infinity, 1.0]]}').outputs[""]

    np.testing.assert_array_equal(row, [np.nan, np.inf, -np.inf, 1.0])


def test_whole_floats_stay_floats_and_integers_integers():
    assert answers.read(200, b'{"predictions": [1.0, 2.0]}').outputs[""].dtype.kind == "f"
    assert answers.read(200, b'{"predictions": [1, 2]}').outputs[""].dtype.kind == "i"


def test_a_value_beyond_float32_does_not_become_infinity():
    assert answers.read(200, b'{"predictions": [1e200]}').outputs[""].tolist() == [1e200]


def test_an_error_is_read():
    assert answers.read(400, b'{"error": "no"}') == answers.Answer(status=400, error="no")


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=100), st.text(max_size=100).map(str.encode)),
    st.sampled_from([200, 400, 404, 500]),
)
def test_no_bytes_raise(body, status):
    assert not answers.read(status, body).succeeded or status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(JSON, st.sampled_from(["predictions", "outputs", "error"]), st.sampled_from([200, 400]))
def test_no_json_raises(value, key, status):
    answer = answers.read(status, json.dumps({key: value}).encode())

    assert all(array.dtype.kind in "fiubU" for array in answer.outputs.values())
