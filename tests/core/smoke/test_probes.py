from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.core.smoke import recorded
from tests.support import smoketests
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import answers, cases, judge, plans, probes, recordings
from tfserving_operator.core.smoke.checks import goldens

Model = Callable[[np.ndarray], np.ndarray]
WEIGHTS = np.array([[0.3, -0.1], [0.2, 0.4]])
ROWS = np.array([[1.0, 16.0], [8.0, 3.0], [12.0, 2.0], [5.0, 5.0]])


def trained(x: np.ndarray) -> np.ndarray:
    return np.tanh(x @ WEIGHTS)


def asked(model: Model, case: cases.Case) -> answers.Answer:
    return recorded.answer(y=model(np.asarray(case.instances, dtype=float)))


def outcome_of(model: Model, golden: Model | None = None) -> plans.TestOutcome:
    """Test a model as the runner does: the cases, then the probes that are planned."""
    given = [
        cases.Case(
            name=f"c{i}",
            instances=[row.tolist()],
            expect=cases.Expect(outputs={"y": golden(row[None]).tolist()}) if golden else None,
        )
        for i, row in enumerate(ROWS)
    ]
    recording = recordings.Recording(
        targets=(recorded.pod([asked(model, c) for c in given]),), sent=tuple(given)
    )
    planned = judge.plan_probes(smoketests.request(), recording)
    assert sum(map(len, planned.values())) <= probes.MAX_CASES * len(probes.PROBES)
    found = {name: {c.name: asked(model, c) for c in changed} for name, changed in planned.items()}
    recording = replace(recording, probes=found)
    return judge.judge(smoketests.request(), cases.MADE, recording, smoketests.NOW, smoketests.NOW)


def test_the_probe_that_restores_the_goldens_names_the_cause():
    for factor, cause in (
        (16, "UnscaledInput"),
        (255, "UnscaledInput"),
        (1 / 16, "ScaledTwice"),
        (1 / 255, "ScaledTwice"),
    ):
        outcome = outcome_of(lambda x: trained(x * 0.01), golden=lambda x, f=factor: trained(x * 0.01 / f))

        assert (outcome.reason, outcome.cause) == ("GoldenMismatch", cause), factor


def test_a_mismatch_that_no_probe_restores_has_no_cause():
    outcome = outcome_of(lambda x: trained(x[:, ::-1]), golden=trained)

    assert (outcome.reason, outcome.cause) == ("GoldenMismatch", "")


def test_an_answer_that_no_scale_changes_is_constant():
    outcome = outcome_of(lambda x: np.full((len(x), 2), 0.3))

    assert (outcome.reason, outcome.cause) == ("IdenticalOutputs", "ConstantOutput")


def test_answers_that_differ_at_smaller_scales_are_saturated():
    outcome = outcome_of(lambda x: 0.7 * np.tanh(x @ (np.abs(WEIGHTS) * 100)))

    assert (outcome.reason, outcome.cause) == ("IdenticalOutputs", "UnscaledInput")
    assert "differ when inputs are divided by 255" in outcome.message


def test_a_model_that_passes_is_not_probed():
    outcome = outcome_of(trained, golden=trained)

    assert outcome.verdict is reasons.Verdict.Pass
    assert outcome.cause == ""


def test_inputs_that_are_not_floats_are_not_probed():
    pod = recorded.pod([recorded.answer(y=[[0.3]])] * 3)
    integers = {"x": recorded.FLOATS.__class__(dtype="DT_INT64", shape=(-1, 2))}
    assert pod.metadata is not None
    served = replace(pod.metadata.signatures["serving_default"], inputs=integers)
    pod = replace(pod, metadata=replace(pod.metadata, signatures={"serving_default": served}))
    recording = recordings.Recording(targets=(pod,), sent=recorded.sent(3))

    assert judge.plan_probes(smoketests.request(), recording) == {}


def test_a_probe_changes_the_input_and_keeps_the_golden():
    case = recorded.case(1, {"y": [[1.0]]})
    recording = recordings.Recording(targets=(recorded.pod([recorded.answer(y=[[2.0]])] * 2),), sent=(case,))

    planned = judge.plan_probes(smoketests.request(), recording)

    (changed,) = planned["divided by 16"]
    np.testing.assert_allclose(changed.instances, [[1 / 16, 0.5 / 16]])
    assert changed.expect == case.expect
    assert goldens.mismatch(changed, recorded.answer(y=[[1.0]])) == ""
