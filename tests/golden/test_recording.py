"""Goldens out of answers, by references that are plain functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfserving_operator.core.smoke import answers
from tfserving_operator.core.smoke.checks import goldens
from tfserving_operator.golden import errors, recording


@dataclass
class Doubling:
    """Twice the input, and as noisy as it is told to be."""

    name: str = "doubling"
    noise: float = 0.0
    largest_batch: int = 1000
    calls: list[int] = field(default_factory=list)

    def predict(self, rows: Sequence[Any]) -> dict[str, np.ndarray[Any, Any]]:
        self.calls.append(len(rows))
        if len(rows) > self.largest_batch:
            raise errors.GoldenError("too many")
        shift = self.noise * (len(self.calls) % 2)
        return {"y": (np.asarray(rows, np.float32) * 2 + np.float32(shift)).astype(np.float32)}


ROWS = [[float(i), 1.0] for i in range(10)]


def test_a_steady_reference_is_recorded_with_the_default_tolerances() -> None:
    made = recording.record(Doubling(), ROWS, recording.Settings(max_cases=4))
    assert made.spread_between_runs == 0.0
    assert made.atol == 1e-5
    assert next(case.instances for case in made.cases) == [[0.0, 1.0]]
    assert made.cases[-1].instances == [[9.0, 1.0]]
    assert all(
        case.expect is not None and case.expect.outputs == {"y": [[2 * case.instances[0][0], 2.0]]}
        for case in made.cases
        if case.instances
    )


def test_a_reference_whose_answers_differ_between_runs_widens_the_tolerance() -> None:
    made = recording.record(Doubling(noise=0.01), ROWS, recording.Settings())
    assert made.spread_between_runs == pytest.approx(0.01, rel=1e-3)
    assert made.atol == pytest.approx(recording.MARGIN * 0.01, rel=1e-3)


def test_batches_of_several_sizes_are_measured() -> None:
    reference = Doubling()
    recording.record(reference, ROWS, recording.Settings())
    assert {1, 2, 7, 10} <= set(reference.calls)


def test_a_reference_that_takes_no_large_batch_says_so() -> None:
    with pytest.raises(errors.GoldenError, match="too many"):
        recording.record(Doubling(largest_batch=3), ROWS, recording.Settings())


def test_answers_that_are_not_numbers_are_no_goldens() -> None:
    with pytest.raises(errors.GoldenError, match="NaN"):
        recording.record(Doubling(), [[float("nan")]], recording.Settings())


def test_wide_outputs_become_their_highest_classes_unless_told_otherwise() -> None:
    class Wide:
        name = "wide"

        def predict(self, rows: Sequence[Any]) -> dict[str, np.ndarray[Any, Any]]:
            return {"p": np.asarray([np.roll(np.arange(100.0), int(row)) for row in rows], np.float32)}

    top = recording.record(Wide(), [0, 3], recording.Settings()).cases[0].expect
    assert top is not None
    assert top.outputs == {}
    assert top.top_k is not None
    assert top.top_k.classes == ((99, 98, 97, 96, 95),)
    full = recording.record(Wide(), [0, 3], recording.Settings(full=True)).cases[0].expect
    assert full is not None
    assert full.top_k is None
    assert len(full.outputs["p"][0]) == 100


@given(arrays.arrays(np.float32, (12, 3), elements=st.floats(-100, 100, width=32)), st.integers(1, 12))
def test_as_many_different_records_are_chosen_as_asked_for(values: np.ndarray[Any, Any], count: int) -> None:
    chosen = recording.choose({"y": values}, count)
    assert len(chosen) == count == len(set(chosen))
    assert chosen == sorted(chosen)


def test_the_records_whose_answers_are_farthest_apart_are_chosen_first() -> None:
    values = np.asarray([[0.0], [0.01], [0.02], [1.0], [0.5]])
    assert recording.choose({"y": values}, 3) == [0, 3, 4]


def test_what_was_recorded_agrees_with_itself() -> None:
    made = recording.record(Doubling(noise=0.01), ROWS, recording.Settings())
    reference = Doubling(noise=0.01)
    for case in made.cases:
        assert case.instances is not None
        answer = answers.Answer(status=200, outputs=reference.predict(list(case.instances)))
        assert goldens.mismatch(case, answer) == ""


def test_statistics_are_per_feature_over_all_records() -> None:
    found = recording.statistics(ROWS, ["x"])["x"]
    assert found.mean == (4.5, 1.0)
    assert found.std == (pytest.approx(2.872281), 0.0)
    assert (found.min, found.max, found.count) == ((0.0, 1.0), (9.0, 1.0), 10)


def test_text_and_ragged_inputs_have_no_statistics() -> None:
    assert recording.statistics([{"t": "a", "x": 1}, {"t": "b", "x": 2}], ["t", "x"]).keys() == {"x"}
    assert recording.statistics([[1.0], [1.0, 2.0]], ["x"]) == {}
