"""The table of what the development model server has in common with the original names tests that exist."""

import ast
import functools
import re
from pathlib import Path

import pytest

from local.modelserver import flags
from tests.docs import pages

PAGE = pages.CHECKOUT / "docs" / "model-server-conformance.md"
TESTS = pages.CHECKOUT / "tests" / "local" / "modelserver"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
DEVIATIONS = "Where it differs, and why"
UPSTREAM_TESTS = 30
"""So many tests has the newest ``tensorflow_model_server_test.py``."""


def sections() -> dict[str, list[list[str]]]:
    """The cells of each table's rows, by the heading above them."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        lines = [line for line in text.splitlines() if line.startswith("|")]
        found[heading.strip()] = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]
        ]
    return found


ROWS = [(heading, row) for heading, rows in sections().items() for row in rows if heading != DEVIATIONS]


@functools.cache
def names_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_there_are_rows_to_read():
    assert len(ROWS) > 100


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[f"{h}: {row[0]}"[:80] for h, row in ROWS])
def test_a_row_has_a_source_and_names_tests_that_exist(row: list[str]):
    what, source, tests = row
    assert what
    assert source
    named = NAMED.findall(tests)
    assert named or DEVIATIONS.lower().replace(" ", "-").replace(",", "") in tests, (
        "neither a test nor a reason"
    )
    for file, name in named:
        assert (TESTS / file).is_file(), file
        assert name in names_in(TESTS / file), f"{file} has no {name}"


def test_every_flag_has_a_row():
    listed = {name for row in sections()["Flags"] for name in re.findall(r"`--(\w+)`", row[0])}
    assert listed == set(flags.kinds())


def test_every_test_of_the_original_has_a_row():
    listed = [row[0] for row in sections()["The original's own tests"]]
    assert len(listed) == len(set(listed)) == UPSTREAM_TESTS
    assert all(re.fullmatch(r"`test\w+`", name) for name in listed)


def test_every_deviation_has_a_reason_and_flags_without_effect_are_among_them():
    rows = sections()[DEVIATIONS]
    assert rows
    assert all(len(row) == 3 and all(row) for row in rows)
    listed = {name for row in rows for name in re.findall(r"`--(\w+)`", row[0])}
    assert set(flags.WITHOUT_EFFECT) <= listed
