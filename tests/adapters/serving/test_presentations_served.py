"""Faults that only show when cases are sent in other ways than as written, by real models."""

from typing import Any

import numpy as np
import pytest

from tests.adapters.serving import export_goldens
from tests.adapters.serving.served import ROWS, goldens, rows, smoke
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans

Pass, Fail = reasons.Verdict.Pass, reasons.Verdict.Fail


def batch(**golden: Any) -> list[dict[str, Any]]:
    return [{"name": "batch", "instances": ROWS.tolist(), **golden}]


def batch_goldens(values: np.ndarray | None = None, **tolerance: float) -> list[dict[str, Any]]:
    expected = export_goldens.good(ROWS) if values is None else values
    return batch(expect={"outputs": {"probabilities": expected.tolist()}, **tolerance})


def failing(outcome: plans.TestOutcome) -> dict[str, bool]:
    """The checks that failed, and whether that counts."""
    return {check.name: check.enforced for check in outcome.checks if check.verdict is Fail}


@pytest.mark.parametrize("given", [None, rows(), batch()], ids=["made", "single rows", "a batch"])
@pytest.mark.parametrize("model", ["by-batch", "soft-axis"])
async def test_answers_that_only_differ_within_a_batch_are_identical_ones(
    session, model_server, model, given
):
    outcome = await smoke(session, model_server, model, given)

    assert (outcome.verdict, outcome.reason) == (Fail, "IdenticalOutputs"), outcome
    assert "alone" in outcome.message


async def test_argmax_over_the_batch_is_found(session, model_server):
    outcome = await smoke(session, model_server, "axis", rows())

    assert outcome.verdict is not Pass, outcome


async def test_rows_answered_in_another_order_miss_their_goldens_for_the_batchs_sake(session, model_server):
    outcome = await smoke(session, model_server, "reversed", batch_goldens(atol=0.01))

    assert (outcome.verdict, outcome.reason) == (Fail, "BatchDependentOutputs"), outcome


async def test_dropout_misses_goldens_for_instabilitys_sake(session, model_server):
    outcome = await smoke(session, model_server, "dropout", goldens())

    assert (outcome.verdict, outcome.reason) == (Fail, "UnstableOutputs"), outcome


@pytest.mark.parametrize("model", ["dropout", "drift", "sampling", "counting"])
async def test_without_goldens_a_model_that_samples_or_counts_is_only_warned_of(session, model_server, model):
    for given in (None, rows()):
        outcome = await smoke(session, model_server, model, given, load_requests=16)

        assert (outcome.verdict, outcome.reason) == (Pass, "Passed"), outcome
        assert failing(outcome).get("repeatability") is False


async def test_a_state_that_drifts_is_unstable(session, model_server):
    outcome = await smoke(session, model_server, "drift", goldens())

    assert (outcome.verdict, outcome.reason) == (Fail, "UnstableOutputs"), outcome


@pytest.mark.parametrize(
    ("model", "atol"), [("sampling", 0.05), ("counting", 1e-5), ("half", 0.02), ("good", 1e-5)]
)
async def test_a_model_that_stays_within_its_goldens_tolerance_passes_however_it_is_asked(
    session, model_server, model, atol
):
    given = [{**case, "expect": {**case["expect"], "atol": atol}} for case in goldens()] + batch_goldens(
        atol=atol
    )

    outcome = await smoke(session, model_server, model, given, load_requests=16)

    assert (outcome.verdict, outcome.reason) == (Pass, "Passed"), outcome
    assert not any(failing(outcome).values())


async def test_a_batch_of_one_size_only_is_no_fault(session, model_server):
    given = [{"name": f"pair-{i}", "inputs": {"x": ROWS[2 * i : 2 * i + 2].tolist()}} for i in range(3)]

    outcome = await smoke(session, model_server, "fixed", given)

    assert outcome.verdict is Pass, outcome


async def test_only_a_candidate_is_sent_other_presentations(session, model_server):
    outcome = await smoke(session, model_server, "by-batch", batch(), purpose=plans.TestPurpose.Repeat)

    assert outcome.verdict is Pass, outcome
    (pod,) = outcome.recorded["pods"].values()
    assert (pod["repeated"], pod["alone"], pod["together"]) == ("0 of 0", 0, 0)


async def test_a_limit_on_time_fails_a_model_that_takes_longer(session, model_server):
    checks = {"latency": {"mode": "Enforce", "maxSeconds": 1e-6}}

    outcome = await smoke(session, model_server, "good", rows(), checks=checks)

    assert (outcome.verdict, outcome.reason) == (Fail, "SlowPredictions")
    assert "at most 1e-06 s are allowed" in outcome.message
