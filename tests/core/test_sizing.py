"""Recommended memory limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfserving_operator.core import quantities, sizing


@pytest.mark.parametrize(
    ("limit", "model_bytes", "want"),
    [
        ("512Mi", None, "1024Mi"),
        ("100Mi", None, "256Mi"),
        ("256Mi", 400 * sizing.MIB, "704Mi"),
        ("1G", 0, "1920Mi"),
    ],
)
def test_a_recommendation_doubles_and_holds_the_model(limit, model_bytes, want):
    assert sizing.recommend_memory_limit(limit=limit, model_bytes=model_bytes) == want


@given(st.integers(1, 10**13), st.none() | st.integers(0, 10**13))
def test_a_recommendation_is_never_below_what_was_not_enough(limit, model_bytes):
    wanted = quantities.parse_quantity(
        sizing.recommend_memory_limit(limit=str(limit), model_bytes=model_bytes)
    )
    assert wanted >= 2 * limit
    assert wanted >= (model_bytes or 0)
