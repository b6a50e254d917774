"""The smoke test against real models, served by the real C++ runtime."""

from pathlib import Path

import pytest

from tests.adapters.serving.served import ROWS, goldens, rows, smoke
from tests.local.modelserver import servers
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans

Pass, Fail, Inconclusive = reasons.Verdict.Pass, reasons.Verdict.Fail, reasons.Verdict.Inconclusive

HEALTHY = ["good", "retrained", "side", "tiny", "rare", "embedding", "fixed", "logarithm"]


@pytest.mark.parametrize("model", [*HEALTHY, "argmax", "words", "text"])
async def test_a_healthy_model_is_never_failed_without_cases(session, model_server, model):
    outcome = await smoke(session, model_server, model)

    assert outcome.verdict in (Pass, Inconclusive), outcome


@pytest.mark.parametrize("model", [name for name in HEALTHY if name != "logarithm"])
async def test_a_healthy_model_passes_without_cases(session, model_server, model):
    outcome = await smoke(session, model_server, model)

    assert (outcome.verdict, outcome.reason) == (Pass, "Passed"), outcome
    assert outcome.cases_digest == cases.MADE.digest
    assert outcome.pinned_cases == b""


@pytest.mark.parametrize(
    ("model", "reason", "cause"),
    [
        ("constant", "IdenticalOutputs", "ConstantOutput"),
        ("collapsed", "IdenticalOutputs", "CollapsedBatchNorm"),
        ("echo", "IdenticalOutputs", None),
        ("nan", "NonFiniteOutputs", "NotANumber"),
    ],
)
async def test_a_faulty_model_fails_without_cases_and_with(session, model_server, model, reason, cause):
    made = await smoke(session, model_server, model)
    assert (made.verdict, made.reason) == (Fail, reason), made
    if cause is not None:
        assert cause in made.cause, made
        given = await smoke(session, model_server, model, rows())
        assert (given.verdict, given.reason) == (Fail, reason), given
        assert cause in given.cause, given


async def test_a_model_passes_with_its_goldens_and_records_what_it_passed_with(session, model_server):
    resolved = cases.resolve(goldens())

    outcome = await smoke(session, model_server, "good", goldens(), load_requests=20)

    assert (outcome.verdict, outcome.message) == (Pass, "6 cases on 1 pod: 6 of 6 answered as they should")
    assert (outcome.cases_digest, outcome.pinned_cases) == (resolved.digest, resolved.canonical)
    assert [check.name for check in outcome.checks] == [
        "rightVersion",
        "predictionSucceeds",
        "signature",
        "finite",
        "distinctOutputs",
        "classCollapse",
        "repeatability",
        "batchInvariance",
        "goldens",
        "loadAnswers",
        "latency",
    ]
    told = {check.name: check.message for check in outcome.checks}
    assert told["repeatability"] == "6 were compared"
    assert told["batchInvariance"] == "12 were compared"
    assert told["loadAnswers"] == "20 answers under load agree"


async def test_a_model_whose_scaling_is_missing_is_told_from_its_goldens(session, model_server):
    outcome = await smoke(session, model_server, "unscaled", goldens())

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "GoldenMismatch", "UnscaledInput"), (
        outcome
    )
    assert "divided by 16" in outcome.message


async def test_a_constant_answer_outranks_the_goldens_that_it_misses(session, model_server):
    outcome = await smoke(session, model_server, "constant", goldens())

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "IdenticalOutputs", "ConstantOutput")
    assert {check.name: check.verdict for check in outcome.checks if check.verdict is Fail} == {
        "distinctOutputs": Fail,
        "goldens": Fail,
    }


async def test_only_a_probe_before_promotion_costs_further_requests(session, model_server):
    outcome = await smoke(session, model_server, "unscaled", goldens(), purpose=plans.TestPurpose.Repeat)

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "GoldenMismatch", "")


async def test_a_case_with_a_wrong_input_name_is_the_cases_fault(session, model_server):
    given = [{"name": "cat", "instances": [{"pixels": [1.0, 2.0, 3.0, 4.0]}]}]

    outcome = await smoke(session, model_server, "good", given)

    assert (outcome.verdict, outcome.reason) == (None, "CasesInvalid")
    assert "case cat: it sends pixels, and the signature's inputs are x" in outcome.message


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"inputs": {"y": [[1.0, 2.0, 3.0, 4.0]]}}, "it sends y, and the signature's inputs are x"),
        ({"instances": [["a", "b", "c", "d"]]}, "it is text, and the model takes DT_FLOAT"),
        ({"instances": [[1.0, 2.0]]}, "its shape is [1, 2], batch first, and the model takes [-1, 4]"),
    ],
)
async def test_a_case_that_does_not_fit_the_signature_is_told_why(session, model_server, case, message):
    outcome = await smoke(session, model_server, "good", [{"name": "cat", **case}])

    assert (outcome.verdict, outcome.reason) == (None, "CasesInvalid"), outcome
    assert message in outcome.message


async def test_a_signature_that_is_not_there_is_named_with_those_that_are(session, model_server):
    outcome = await smoke(session, model_server, "good", rows(), signature_name="classify")

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "SignatureMismatch", "SignatureMissing")
    assert 'the model has no signature "classify"; it has serving_default' in outcome.message


async def test_a_version_that_is_not_served_is_the_wrong_version(session, model_server):
    outcome = await smoke(session, model_server, "good", rows(), version=9)

    assert (outcome.verdict, outcome.reason) == (Fail, "WrongVersion"), outcome
    assert "Could not find version 9 of model good" in outcome.message


async def test_an_output_of_a_golden_that_the_model_does_not_have_is_the_cases_fault(session, model_server):
    given = rows(expect={"outputs": {"scores": [[1.0]]}})

    outcome = await smoke(session, model_server, "good", given)

    assert (outcome.verdict, outcome.reason) == (None, "CasesInvalid"), outcome
    assert outcome.message == "case row-0: expect names the output scores, and the model has probabilities"


async def test_a_constant_answer_is_not_blamed_where_the_active_revision_gives_it_too(session, model_server):
    outcome = await smoke(session, model_server, "constant", control_server=model_server)

    assert outcome.verdict is Pass
    assert "so are the active revision's" in {c.name: c.message for c in outcome.checks}["distinctOutputs"]


async def test_a_constant_answer_is_blamed_where_the_active_revisions_answers_differ(
    session, model_server, other_server
):
    outcome = await smoke(session, model_server, "constant", control_server=other_server)

    assert (outcome.verdict, outcome.reason) == (Fail, "IdenticalOutputs")
    assert "the active revision's answers to them differ" in outcome.message


async def test_a_case_that_only_the_active_revision_takes_is_evidence_against_the_new_one(
    session, model_server, other_server
):
    given = [{"name": "cat", "inputs": {"x": ROWS.tolist()}}]

    outcome = await smoke(session, model_server, "renamed", given, control_server=other_server)

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "PredictionFailed", "SignatureChanged")
    assert "the active revision answers this case" in outcome.message


async def test_a_case_that_only_the_new_revision_takes_passes(session, model_server, other_server):
    given = [{"name": "cat", "inputs": {"x": ROWS.tolist()}}]

    outcome = await smoke(session, model_server, "good", given, control_server=other_server)

    assert outcome.verdict is Pass


async def test_a_retrained_model_may_answer_otherwise_than_the_active_revision(
    session, model_server, other_server
):
    outcome = await smoke(session, model_server, "retrained", rows(), control_server=other_server)

    assert outcome.verdict is Pass


async def test_strings_cannot_be_made_up_and_the_message_says_what_to_add(session, model_server):
    outcome = await smoke(session, model_server, "text")

    assert outcome.verdict is Inconclusive
    assert outcome.message.startswith("input text takes strings")
    assert "add smoke.cases" in outcome.message


async def test_a_check_set_to_warn_is_reported_and_does_not_fail(session, model_server):
    checks = {"distinctOutputs": {"mode": "Warn", "minRelativeSpread": 1e-6}}

    outcome = await smoke(session, model_server, "constant", rows(), checks=checks)

    assert outcome.verdict is Pass
    told = {check.name: (check.verdict, check.enforced) for check in outcome.checks}
    assert told["distinctOutputs"] == (Fail, False)


async def test_a_large_answer_is_read(session, model_server):
    outcome = await smoke(session, model_server, "wide", rows())

    assert outcome.verdict is Pass, outcome


async def test_a_model_without_its_weights_fails_whatever_the_input(session, exported: Path, tmp_path):
    import shutil

    shutil.copytree(exported / "good" / "1", tmp_path / "broken" / "1")
    (tmp_path / "broken" / "1" / "variables" / "variables.index").unlink()
    flag = servers.config_file(tmp_path, servers.model("broken", tmp_path / "broken"))
    with servers.running(tmp_path, flag) as server:
        outcome = await smoke(session, server, "broken")

    assert (outcome.verdict, outcome.reason, outcome.cause) == (
        Fail,
        "PredictionFailed",
        "VariablesMissing",
    ), outcome
