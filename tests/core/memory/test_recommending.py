"""Recommended memory limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfserving_operator.core import memory, quantities

MI = quantities.MI
QUANTITIES = st.integers(1, 10**13).map(str)


@pytest.mark.parametrize(
    ("known", "want"),
    [
        ({}, None),
        ({"not_enough": [""]}, None),
        ({"not_enough": ["384Mi"]}, "768Mi"),
        ({"not_enough": ["512Mi", "100Mi"]}, "1Gi"),
        ({"not_enough": ["1G"]}, "1920Mi"),
        ({"floor_bytes": 100 * MI}, "256Mi"),
        ({"floor_bytes": 100 * MI, "not_enough": ["100Mi"]}, "256Mi"),
        ({"floor_bytes": 2000 * MI, "not_enough": ["384Mi"]}, "2688Mi"),
        ({"floor_bytes": 100 * MI, "peak_bytes": 400 * MI}, "512Mi"),
        ({"floor_bytes": 100 * MI, "before": "768Mi"}, "768Mi"),
    ],
)
def test_the_limit_is_the_largest_that_any_of_the_evidence_asks_for(known, want):
    assert memory.recommended_limit(**known) == want


@given(
    st.none() | st.integers(0, 10**13), st.none() | st.integers(0, 10**13), st.lists(QUANTITIES, max_size=3)
)
def test_a_recommendation_is_above_all_that_was_seen_to_be_needed(floor, peak, not_enough):
    said = memory.recommended_limit(floor_bytes=floor, peak_bytes=peak, not_enough=not_enough)
    assert (said is None) == (floor is None and peak is None and not not_enough)
    if said is None:
        return
    wanted = quantities.parse_quantity(said)
    assert wanted % (64 * MI) == 0
    assert wanted >= (floor or 0) + 128 * MI * (floor is not None)
    assert wanted >= (peak or 0)
    assert all(wanted > quantities.parse_quantity(limit) for limit in not_enough)


@given(st.none() | st.integers(0, 10**13), st.lists(QUANTITIES, min_size=1, max_size=3))
def test_a_recommendation_never_falls(floor, not_enough):
    first = memory.recommended_limit(floor_bytes=floor, not_enough=not_enough)
    again = memory.recommended_limit(floor_bytes=floor, before=first)
    assert again == first
