"""Quantities are read as Kubernetes reads them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfserving_operator.core import quantities

MAX = 2**63 - 1
WORTH = [
    ("0", 0),
    ("1", 1),
    ("+1", 1),
    ("-1", -1),
    ("500m", Fraction(1, 2)),
    ("100u", Fraction(1, 10_000)),
    ("1n", Fraction(1, 10**9)),
    ("0.1n", Fraction(1, 10**9)),  # rounded away from zero
    ("-0.1n", Fraction(-1, 10**9)),
    (".5", Fraction(1, 2)),
    ("5.", 5),
    ("0.1", Fraction(1, 10)),
    ("1.5Gi", 3 * 2**29),
    ("1Ki", 2**10),
    ("1Mi", 2**20),
    ("1Ti", 2**40),
    ("1Pi", 2**50),
    ("1Ei", 2**60),
    ("1k", 1000),
    ("1M", 10**6),
    ("1G", 10**9),
    ("1T", 10**12),
    ("1P", 10**15),
    ("1E", 10**18),
    ("1e3", 1000),
    ("1E3", 1000),
    ("1e-3", Fraction(1, 1000)),
    ("1e+3", 1000),
    ("12e0", 12),
    ("100Ei", MAX),  # capped
    ("1e30", MAX),
    ("1e9999999999999999999", MAX),
    ("-1e99", -MAX),
    ("0e9999999999999999999", 0),
    ("1e-9999999999999999999", Fraction(1, 10**9)),
]


@pytest.mark.parametrize(("text", "worth"), WORTH)
def test_every_form_of_kubernetes_is_read_exactly(text: str, worth: Fraction) -> None:
    assert quantities.parse_quantity(text) == worth


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 Gi",
        "1GB",
        "1gi",
        "1mi",
        "1K",
        "1KI",
        "Gi",
        ".",
        "+",
        "-",
        "--1",
        "1.2.3",
        "1e",
        "1e1.5",
        "0x10",
        "1_0",
        "٣",
        "1\n",
        "inf",
        "nan",
        "1eK",
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    assert not quantities.is_quantity(text)
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.parse_quantity(text)


@given(st.text(alphabet="0123456789.+-eEinumkKMGTP ", max_size=32))
def test_any_text_is_read_or_refused_quickly(text: str) -> None:
    if quantities.is_quantity(text):
        assert abs(quantities.parse_quantity(text)) <= MAX
    else:
        with pytest.raises(ValueError, match="is not a quantity"):
            quantities.parse_quantity(text)


SUFFIXES = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]


@given(st.integers(0, 10**6), st.sampled_from(SUFFIXES))
def test_a_minus_is_the_same_amount_below_zero(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert quantities.parse_quantity(f"-{text}") == -quantities.parse_quantity(text)


@given(st.integers(0, 10**4), st.integers(0, 10**4), st.sampled_from(SUFFIXES))
def test_larger_numbers_are_never_worth_less(one: int, other: int, suffix: str) -> None:
    small, large = sorted((one, other))
    assert quantities.parse_quantity(f"{small}{suffix}") <= quantities.parse_quantity(f"{large}{suffix}")


@given(st.integers(0, 2**50))
def test_a_formatted_size_holds_the_bytes_and_no_mebibyte_more(count: int) -> None:
    worth = quantities.parse_quantity(quantities.format_bytes(count))
    assert count <= worth < count + quantities.MI


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0Mi"), (1, "1Mi"), (2**20, "1Mi"), (2**20 + 1, "2Mi"), (2**30, "1Gi"), (3 * 2**29, "1536Mi")],
)
def test_sizes_are_written_as_people_write_them(count: int, text: str) -> None:
    assert quantities.format_bytes(count) == text
