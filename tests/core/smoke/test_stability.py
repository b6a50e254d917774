"""The checks of answers to the same rows: again, alone, together, permuted, under load, in time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.core.smoke import recorded
from tests.core.smoke.recorded import answer, error, judged, pod, sent
from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, plans, recordings, signatures
from tfserving_operator.core.smoke.checks import comparing

Pass, Fail = reasons.Verdict.Pass, reasons.Verdict.Fail
VALUES = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])
OTHER = VALUES[:, ::-1]


def told(outcome: plans.TestOutcome, name: str) -> tuple[reasons.Verdict, bool]:
    (check,) = [check for check in outcome.checks if check.name == name]
    return check.verdict, check.enforced


def each(values: Any) -> dict[str, answers.Answer]:
    return {f"c{i}": answer(y=value[None]) for i, value in enumerate(np.asarray(values))}


def single(values: Any = VALUES, **recorded_too: Any) -> recordings.PodRecording:
    return pod(list(each(values).values()), **recorded_too)


def expected(values: Any = VALUES) -> tuple[cases.Case, ...]:
    return sent(len(values), [{"y": [row.tolist()]} for row in np.asarray(values)])


def together(values: Any, order: Sequence[int] = range(4)) -> recordings.Batch:
    return recordings.Batch(
        rows=tuple((f"c{i}", 0) for i in order), answer=answer(y=np.asarray(values)[list(order)])
    )


NOISE = VALUES + np.array([[1e-7, -2e-7]] * 4)
PRESENTED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "repeated": lambda values: {"repeated": each(values)},
    "together": lambda values: {"together": together(values)},
    "permuted": lambda values: {"permuted": together(values, (2, 3, 0, 1))},
}
CHECK_OF = {"repeated": "repeatability", "together": "batchInvariance", "permuted": "batchInvariance"}
REASON_OF = {"repeatability": "UnstableOutputs", "batchInvariance": "BatchDependentOutputs"}


@pytest.mark.parametrize("how", PRESENTED)
def test_another_answer_to_the_same_row_is_reported_and_fails_where_a_golden_says_so(how):
    name = CHECK_OF[how]
    found = single(**PRESENTED[how](OTHER))

    without = judged(found)
    assert (without.verdict, told(without, name)) == (Pass, (Fail, False))
    with_goldens = judged(found, given=expected())
    assert (with_goldens.verdict, with_goldens.reason) == (Fail, REASON_OF[name])
    strict = judged(found, checks={name: {"mode": "Enforce"}})
    assert (strict.verdict, strict.reason) == (Fail, REASON_OF[name])
    assert judged(found, given=expected(), checks={name: {"mode": "Warn"}}).verdict is Pass
    assert name not in {check.name for check in judged(found, checks={name: {"mode": "Off"}}).checks}


@pytest.mark.parametrize("how", PRESENTED)
@pytest.mark.parametrize("checks", [{}, {"repeatability": {"mode": "Enforce"}}])
def test_rounding_is_no_difference(how, checks):
    outcome = judged(single(**PRESENTED[how](NOISE)), given=expected(), checks=checks)

    assert told(outcome, CHECK_OF[how])[0] is Pass


@pytest.mark.parametrize("how", PRESENTED)
def test_a_difference_within_the_goldens_tolerance_is_none(how):
    wide = tuple(
        replace(case, expect=replace(case.expect, atol=1.0)) for case in expected() if case.expect is not None
    )
    outcome = judged(single(**PRESENTED[how](OTHER)), given=wide)

    assert outcome.verdict is Pass
    assert told(outcome, CHECK_OF[how])[0] is Pass


def test_an_instability_explains_a_missed_golden():
    outcome = judged(single(OTHER, repeated=each(VALUES)), given=expected())

    assert (outcome.verdict, outcome.reason) == (Fail, "UnstableOutputs")
    assert "the same request, sent again, gets another answer for 3 of 4 cases" in outcome.message


def test_an_output_without_a_golden_does_not_fail_a_model_that_has_one_for_another():
    def counted(start: int) -> dict[str, answers.Answer]:
        return {f"c{i}": answer(y=[row], served=[[float(start + i)]]) for i, row in enumerate(VALUES)}

    found = pod(list(counted(1).values()), repeated=counted(5))
    outcome = judged(found, given=expected())

    assert outcome.verdict is Pass
    assert told(outcome, "repeatability") == (Fail, False)


@pytest.mark.parametrize(("flipped", "verdict"), [(1, Pass), (2, Fail)])
def test_one_class_may_be_a_tie_and_two_are_none(flipped, verdict):
    classes = np.array([[1], [2], [3], [4]])
    again = classes.copy()
    again[:flipped] = 9

    outcome = judged(
        single(classes, repeated=each(again)),
        given=expected(classes),
        checks={"repeatability": {"mode": "Enforce"}},
    )
    assert told(outcome, "repeatability")[0] is verdict


def test_low_precision_is_given_more_room():
    half = VALUES.astype(np.float16).astype(np.float32)
    nearly = (half + np.float32(0.01)).astype(np.float16).astype(np.float32)

    outcome = judged(single(half, together=together(nearly)))
    assert told(outcome, "batchInvariance")[0] is Pass


def test_answers_of_different_lengths_are_padding_in_a_batch_and_a_difference_in_a_repetition():
    longer = {f"c{i}": answer(y=[[*row, 0.0]]) for i, row in enumerate(VALUES)}
    batch = replace(together(VALUES), answer=answer(y=np.pad(VALUES, ((0, 0), (0, 3)))))

    assert told(judged(single(together=batch)), "batchInvariance")[0] is Pass
    assert told(judged(single(repeated=longer)), "repeatability")[0] is Fail


def test_a_refused_presentation_is_no_difference():
    refused = error(400, "Incompatible shapes: [1,4] vs. [2,4]")
    found = single(
        alone={"c0": (refused,)},
        together=replace(together(VALUES), answer=refused),
        repeated={"c0": error(503, "busy")},
    )
    outcome = judged(found, given=expected())
    assert outcome.verdict is Pass


BATCHES = [
    cases.Case(name=f"b{i}", instances=[[float(i), 1.0], [float(i), 2.0], [float(i), 3.0]]) for i in range(2)
]


def in_batches(rows: Any, alone: Any) -> recordings.PodRecording:
    """Two cases of three rows; `rows` and `alone` hold six rows."""
    return recordings.PodRecording(
        pod="p",
        version=1,
        state=recordings.ModelState.Available,
        metadata=recorded.metadata("y"),
        answered={f"b{i}": answer(y=np.asarray(rows)[3 * i : 3 * i + 3]) for i in range(2)},
        alone={
            f"b{i}": tuple(answer(y=row[None]) for row in np.asarray(alone)[3 * i : 3 * i + 3])
            for i in range(2)
        },
    )


SIX = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.5, 0.5], [0.3, 0.7], [0.6, 0.4]])


@pytest.mark.parametrize(
    ("alone", "expected_reason"),
    [
        pytest.param(SIX, "Passed", id="the same alone"),
        pytest.param(np.full((6, 2), 0.37), "IdenticalOutputs", id="one answer alone"),
        pytest.param(np.ones((6, 2)), "IdenticalOutputs", id="softmax over the batch"),
        pytest.param(np.zeros((6, 2), dtype=int), "IdenticalOutputs", id="argmax over the batch"),
        pytest.param(SIX[::-1], "Passed", id="others alone: reported"),
    ],
)
def test_answers_that_are_all_alike_alone_and_differ_in_a_batch_are_identical(alone, expected_reason):
    outcome = judged(in_batches(SIX, alone), given=BATCHES)

    assert outcome.reason == expected_reason
    if expected_reason == "IdenticalOutputs":
        assert "alone, 6 different inputs get the same answer" in outcome.message


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(np.float32, (6, 3), elements=st.floats(-1e6, 1e6, width=32)),
    st.sampled_from([1e-20, 1e-6, 1.0, 1e9]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_a_model_that_rounds_and_nothing_else_never_fails(values, scale, seed, has_goldens):
    random = np.random.default_rng(seed)

    def rounded() -> np.ndarray:
        noise = random.uniform(-2e-6, 2e-6, values.shape) * np.abs(values).max(initial=0.0)
        return (values.astype(float) + noise) * scale

    found = in_batches(rounded(), rounded())
    found = replace(found, repeated={"b0": answer(y=rounded()[:3]), "b1": answer(y=rounded()[3:])})
    tolerance = 1e-3 * float(np.abs(values).max(initial=0.0)) * scale
    given_cases = [
        replace(
            case,
            expect=cases.Expect(outputs={"y": (values[3 * i : 3 * i + 3] * scale).tolist()}, atol=tolerance),
        )
        for i, case in enumerate(BATCHES)
    ]
    outcome = judged(found, given=given_cases if has_goldens else BATCHES)

    for name in ("repeatability", "batchInvariance"):
        assert told(outcome, name)[0] is Pass, outcome


# Load, time, classes, signature


def load(**fields: Any) -> recordings.LoadRecording:
    return recordings.LoadRecording(**({"pod": "digits-1-a", "sent": 64, "compared": 64} | fields))


@pytest.mark.parametrize(
    ("fields", "verdict", "enforced"),
    [
        ({}, Pass, True),
        ({"differing": 1, "golden": True}, Pass, True),
        ({"differing": 5, "example": "e"}, Fail, False),
        ({"differing": 5, "example": "e", "golden": True}, Fail, True),
    ],
)
def test_answers_under_load_are_compared(fields, verdict, enforced):
    outcome = judged(single(), load=(load(**fields),))

    assert told(outcome, "loadAnswers") == (verdict, enforced)
    assert outcome.verdict is (Fail if verdict is Fail and enforced else Pass)


def test_time_is_judged_only_where_there_is_a_limit():
    slow = single(seconds={"c0": 0.5, "c1": 2.0})

    assert judged(slow).verdict is Pass
    outcome = judged(slow, checks={"latency": {"maxSeconds": 1.0}})
    assert (outcome.verdict, outcome.reason) == (Fail, "SlowPredictions")
    assert (
        "the slowest case is c1 on pod digits-1-a, with 2.000 s; at most 1 s are allowed" in outcome.message
    )
    assert judged(slow, checks={"latency": {"maxSeconds": 2.0}}).verdict is Pass


ONE_CLASS = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.95, 0.05]])


@pytest.mark.parametrize(
    ("goldens", "verdict", "enforced"),
    [
        (VALUES, Fail, True),
        (ONE_CLASS, Pass, True),
        (None, Pass, True),  # four inputs are too few to say anything
    ],
)
def test_one_class_for_all_fails_where_the_goldens_name_several(goldens, verdict, enforced):
    outcome = judged(single(ONE_CLASS), given=expected(goldens) if goldens is not None else None)

    assert told(outcome, "classCollapse") == (verdict, enforced)
    assert outcome.reason == ("CollapsedClasses" if verdict is Fail else "Passed")


def test_one_class_for_many_inputs_without_goldens_is_only_reported():
    rare = np.array([[0.9 - i / 100, 0.1 + i / 100] for i in range(12)])
    outcome = judged(single(rare), made=True)

    assert (outcome.verdict, told(outcome, "classCollapse")) == (Pass, (Fail, False))


def test_goldens_of_several_classes_that_are_agreed_with_are_no_collapse():
    top = [cases.Expect(top_k=cases.TopK(output="y", k=1, classes=((i % 2,),))) for i in range(4)]
    tied = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]) + np.arange(4)[:, None] * 1e-9
    given_cases = [replace(case, expect=top[i]) for i, case in enumerate(sent(4))]

    outcome = judged(single(tied), given=given_cases, checks={"distinctOutputs": {"mode": "Off"}})
    assert told(outcome, "classCollapse")[0] is Pass


def served(name: str = "serving_default", **changed: Any) -> signatures.Metadata:
    return signatures.Metadata(version=1, signatures={name: replace(recorded.signature("y"), **changed)})


def with_provenance(signature: inspection.Signature) -> cases.Provenance:
    return cases.Provenance(signature=signature)


def test_a_model_without_the_signature_fails_and_names_those_that_it_has():
    outcome = judged(pod([error(400, "not found in signature def")] * 4, metadata=served("classify")))

    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "SignatureMismatch", "SignatureMissing")
    assert 'no signature "serving_default"; it has classify' in outcome.message


ANOTHER = inspection.Signature(
    method="m",
    inputs={"pixels": recorded.FLOATS},
    outputs={"y": inspection.Tensor(dtype="DT_INT64", shape=(-1,))},
)


def test_a_changed_signature_whose_cases_are_answered_is_only_mentioned():
    outcome = judged(single(), given=expected(), provenance=with_provenance(ANOTHER))

    assert outcome.verdict is Pass
    (check,) = [check for check in outcome.checks if check.name == "signature"]
    assert "input pixels is gone, and x is new; output y was DT_INT64 and is DT_FLOAT" in check.message


def test_a_changed_signature_whose_cases_are_refused_is_evidence():
    refused = error(400, "Missing named input: pixels in 'inputs' object.")
    outcome = judged(
        pod([refused] * 4, metadata=recorded.metadata("y")),
        given=expected(),
        provenance=with_provenance(ANOTHER),
    )
    assert (outcome.verdict, outcome.reason, outcome.cause) == (Fail, "SignatureMismatch", "SignatureChanged")


def test_a_case_that_the_active_revision_refuses_as_well_is_no_evidence_of_a_changed_signature():
    refused = error(400, "Missing named input: pixels in 'inputs' object.")
    before = pod(
        [refused] * 4, metadata=signatures.Metadata(version=1, signatures={"serving_default": ANOTHER})
    )

    outcome = judged(pod([refused] * 4, metadata=recorded.metadata("y")), given=expected(), control=before)
    assert (outcome.verdict, outcome.reason) == (None, "CasesInvalid")


def test_a_prediction_that_cannot_be_made_is_no_verdict_whatever_the_mode():
    silent = pod([recorded.trouble(answers.Trouble.Unreachable)])
    for mode in ("Enforce", "Warn", "Off"):
        outcome = judged(silent, checks={"predictionSucceeds": {"mode": mode}})
        assert (outcome.verdict, outcome.reason) == (None, "PodUnreachable")


def test_a_failing_prediction_can_be_warned_of():
    failing = pod([error(500, "internal"), *each(VALUES).values()])
    assert judged(failing).reason == "PredictionFailed"
    assert judged(failing, checks={"predictionSucceeds": {"mode": "Warn"}}).verdict is Pass


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(-(2.0**90), 2.0**90, width=32)))
def test_an_answer_is_never_apart_from_itself(values):
    found = {"a": answer(y=values)}
    case = cases.Case(name="a", instances=values.tolist())

    assert comparing.whole(case, found["a"], answer(y=values.copy()), comparing.floors(found)) == []


def test_nan_is_the_same_as_nan_and_another_than_a_number():
    case = cases.Case(name="a", instances=[[1.0]])
    nan, number = answer(y=[[np.nan, 1.0]]), answer(y=[[2.0, 1.0]])

    assert comparing.whole(case, nan, nan, comparing.floors({"a": nan})) == []
    assert len(comparing.whole(case, nan, number, comparing.floors({"a": number}))) == 1
