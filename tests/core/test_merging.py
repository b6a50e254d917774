from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.patching import apply
from tfserving_operator.core import merging

JSON = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


@settings(deadline=None)
@given(OBJECTS, OBJECTS)
def test_a_patch_leads_from_one_object_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply(old, merging.build_merge_patch(old, new)) == new


@settings(deadline=None)
@given(OBJECTS)
def test_nothing_changes_nothing(same: dict[str, Any]) -> None:
    assert merging.build_merge_patch(same, same) == {}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"y": 3}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_only_what_differs_is_sent(old: Any, new: Any, want: Any) -> None:
    assert merging.build_merge_patch(old, new) == want
