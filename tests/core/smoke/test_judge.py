from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.core.smoke import recorded
from tests.core.smoke.recorded import answer, error, judged, pod, sent, trouble
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import answers, cases, plans, precedence, recordings

Pass, Fail, Inconclusive = reasons.Verdict.Pass, reasons.Verdict.Fail, reasons.Verdict.Inconclusive
DIFFERENT = [answer(y=[[0.1, 0.9]]), answer(y=[[0.2, 0.8]]), answer(y=[[0.9, 0.1]]), answer(y=[[0.5, 0.5]])]
CONSTANT = [answer(y=[[0.1, 0.9]])] * 4
NAN = answer(y=[[float("nan"), 1.0]])
MISSING = "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: z"


def told(outcome: plans.TestOutcome) -> tuple[reasons.Verdict | None, str]:
    return outcome.verdict, outcome.reason


def same(**outputs: Any) -> list[answers.Answer]:
    return [answer(**outputs)] * 4


# Different inputs, the same answer


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(DIFFERENT, (Pass, "Passed"), id="answers that differ"),
        pytest.param(CONSTANT, (Fail, "IdenticalOutputs"), id="one answer for all"),
        pytest.param(
            [answer(y=[[0.1 + i * 1e-8, 0.9]]) for i in range(4)],
            (Fail, "IdenticalOutputs"),
            id="collapsed batch norm",
        ),
        pytest.param(
            [answer(y=[[1e-9 * i, 1e-9]]) for i in range(4)],
            (Pass, "Passed"),
            id="a tiny range that is all there is",
        ),
        pytest.param(
            [answer(y=[[1.0, 1e-20 * (i + 1)]]) for i in range(4)],
            (Pass, "Passed"),
            id="saturated, and small ones move",
        ),
        pytest.param(
            [answer(y=[[1e7, 0.01 * (i + 1)]]) for i in range(4)],
            (Pass, "Passed"),
            id="a small value beside a large one",
        ),
        pytest.param(same(y=[3]), (Inconclusive, "Inconclusive"), id="argmax, one class for all"),
        pytest.param(
            [answer(y=[i]) for i in (3, 3, 3, 4)], (Pass, "Passed"), id="argmax, another class once"
        ),
        pytest.param(same(y=["cat"]), (Inconclusive, "Inconclusive"), id="strings, one for all"),
        pytest.param(same(y=[3.0]), (Inconclusive, "Inconclusive"), id="class ids as floats"),
        pytest.param(
            same(y=[[0.0, 1.0, 0.0]]), (Inconclusive, "Inconclusive"), id="one-hot, one class for all"
        ),
        pytest.param(same(y=[[0.0, 0.0]]), (Inconclusive, "Inconclusive"), id="all zero"),
        pytest.param(same(y=[[True]]), (Inconclusive, "Inconclusive"), id="booleans, one for all"),
        pytest.param(
            [answer(y=[[float(i)]], side=[[2.5]]) for i in range(4)],
            (Pass, "Passed"),
            id="a constant side head",
        ),
        pytest.param(
            [answer(y=[[2.5]], side=["a", "b", "c", "d"][i : i + 1]) for i in range(4)],
            (Pass, "Passed"),
            id="strings vary",
        ),
        pytest.param(CONSTANT[:1], (Pass, "Passed"), id="one case only"),
        pytest.param(CONSTANT[:2], (Inconclusive, "Inconclusive"), id="two cases"),
        pytest.param(
            [answer(y=[[0.5] * (i + 1)]) for i in range(4)],
            (Pass, "Passed"),
            id="answers as long as their inputs",
        ),
    ],
)
def test_whether_answers_depend_on_inputs(found, expected):
    assert told(judged(pod(found))) == expected


def test_the_active_revision_being_as_constant_takes_the_blame_away():
    assert told(judged(pod(CONSTANT), control=pod(CONSTANT))) == (Pass, "Passed")


def test_the_active_revision_whose_answers_differ_does_not():
    assert told(judged(pod(CONSTANT), control=pod(DIFFERENT))) == (Fail, "IdenticalOutputs")


def test_a_silent_active_revision_changes_nothing():
    silent = pod([trouble(answers.Trouble.Unreachable)] * 4)
    assert told(judged(pod(CONSTANT), control=silent)) == (Fail, "IdenticalOutputs")
    assert told(judged(pod(DIFFERENT), control=silent)) == (Pass, "Passed")


def test_goldens_that_are_alike_excuse_answers_that_are_alike():
    assert told(judged(pod(CONSTANT), given=sent(4, [{"y": [[0.1, 0.9]]}] * 4))) == (Pass, "Passed")


def test_goldens_that_differ_convict_even_a_class_id_and_a_side_head():
    expected = [{"side": [i]} for i in range(4)]
    found = [answer(y=[[float(i)]], side=[3]) for i in range(4)]

    assert told(judged(pod(found), given=sent(4, expected))) == (Fail, "IdenticalOutputs")


def test_the_same_input_several_times_is_no_evidence():
    repeated = [cases.Case(name=f"c{i}", instances=[[1.0, 2.0]]) for i in range(4)]

    assert told(judged(pod(CONSTANT), given=repeated)) == (Pass, "Passed")


def test_a_key_that_is_passed_through_does_not_hide_a_constant_answer():
    given = [cases.Case(name=f"c{i}", inputs={"key": [i], "x": [[i * 1.0]]}) for i in range(4)]
    found = [answer(key=[i], y=[[0.3, 0.7]]) for i in range(4)]

    assert told(judged(pod(found), given=given)) == (Fail, "IdenticalOutputs")


def test_the_threshold_of_the_spread_can_be_set():
    close = [answer(y=[[1.0 + 1e-4 * i]]) for i in range(4)]

    assert told(judged(pod(close))) == (Pass, "Passed")
    strict = {"distinctOutputs": {"minRelativeSpread": 1e-2}}
    assert told(judged(pod(close), checks=strict)) == (Fail, "IdenticalOutputs")


# Goldens


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        pytest.param([[0.1, 0.9]], Pass, id="exact"),
        pytest.param([[0.10005, 0.9]], Pass, id="within rtol"),
        pytest.param([[0.11, 0.9]], Fail, id="outside rtol"),
        pytest.param([[[0.1, 0.9]]], Pass, id="an axis of one more"),
        pytest.param([[0.1], [0.9]], Fail, id="another shape"),
        pytest.param([["a", "b"]], Fail, id="text for numbers"),
    ],
)
def test_an_answer_is_compared_with_its_golden(expected, verdict):
    assert judged(pod(DIFFERENT[:1]), given=sent(1, [{"y": expected}])).verdict is verdict


def test_a_golden_mismatch_names_case_place_and_numbers():
    outcome = judged(pod(DIFFERENT), given=sent(4, [{"y": [[0.1, 0.9]]}, {"y": [[0.7, 0.8]]}]))

    assert told(outcome) == (Fail, "GoldenMismatch")
    assert outcome.message == (
        "1 of 2 answers differ from their goldens; pod digits-1-a, case c1:"
        " output y[0][0] is 0.2, expected 0.7 (rtol 0.001, atol 1e-05); 1 of 2 values"
    )


@pytest.mark.parametrize(
    ("classes", "values", "verdict"),
    [
        ([[2, 1]], [[0.1, 0.3, 0.6]], Pass),
        ([[1, 2]], [[0.1, 0.3, 0.6]], Pass),
        ([[0, 1]], [[0.1, 0.3, 0.6]], Fail),
        ([[0, 2]], [[0.3, 0.3, 0.6]], Pass),  # a tie
        ([[7, 1]], [[0.1, 0.3, 0.6]], Fail),  # a class that is not there
    ],
)
def test_the_classes_with_the_highest_values_are_compared_as_a_set(classes, values, verdict):
    top_k = cases.TopK(output="y", k=2, classes=tuple(map(tuple, classes)))
    case = cases.Case(name="c0", instances=[[1.0]], expect=cases.Expect(top_k=top_k))

    assert judged(pod([answer(y=values)]), given=[case]).verdict is verdict


# Which failure is named


def test_an_answer_for_all_outranks_the_goldens_that_it_misses():
    outcome = judged(pod(CONSTANT), given=sent(4, [{"y": [[i * 0.1, 0.9]]} for i in range(4)]))

    assert told(outcome) == (Fail, "IdenticalOutputs")
    assert {c.name for c in outcome.checks if c.verdict is Fail} == {"distinctOutputs", "goldens"}


def test_no_number_outranks_the_goldens_that_it_misses():
    outcome = judged(pod([NAN, *DIFFERENT[:2]]), given=sent(3, [{"y": [[0.1, 0.9]]}]))

    assert told(outcome) == (Fail, "NonFiniteOutputs")


def test_reasons_are_named_in_their_documented_order():
    assert list(precedence.REASON_ORDER) == [
        "OOMKilled",
        "WrongVersion",
        "ServedVersionLost",
        "PredictionFailed",
        "SignatureMismatch",
        "NonFiniteOutputs",
        "IdenticalOutputs",
        "CollapsedClasses",
        "UnstableOutputs",
        "BatchDependentOutputs",
        "GoldenMismatch",
        "LoadDependentOutputs",
        "SlowPredictions",
    ]


# Numbers


@pytest.mark.parametrize(
    ("found", "made", "expected"),
    [
        pytest.param([NAN, *DIFFERENT], False, (Fail, "NonFiniteOutputs"), id="one NaN of a user's case"),
        pytest.param([NAN, *DIFFERENT], True, (Inconclusive, "Inconclusive"), id="one NaN of a made input"),
        pytest.param([NAN] * 4, True, (Fail, "NonFiniteOutputs"), id="NaN for every made input"),
        pytest.param(
            [answer(y=[[-np.inf, float(i)]]) for i in range(4)],
            False,
            (Inconclusive, "Inconclusive"),
            id="masked",
        ),
        pytest.param(
            [answer(y=[[np.inf, np.inf]])] * 4, False, (Fail, "NonFiniteOutputs"), id="Infinity only"
        ),
    ],
)
def test_what_is_no_number(found, made, expected):
    assert told(judged(pod(found), made=made)) == expected


def test_infinity_that_the_golden_expects_is_right():
    found = [answer(y=[[-np.inf, float(i)]]) for i in range(4)]

    assert judged(pod(found), given=sent(4, [{"y": [[-np.inf, float(i)]]} for i in range(4)])).verdict is Pass


def test_what_is_no_number_in_the_active_revision_either_is_not_blamed():
    assert judged(pod([NAN, *DIFFERENT]), control=pod([NAN, *DIFFERENT])).verdict is Pass


# Errors


@pytest.mark.parametrize(
    ("answered", "control", "expected"),
    [
        pytest.param(error(400, MISSING), None, (None, "CasesInvalid"), id="a wrong input name"),
        pytest.param(error(400, MISSING), error(400, MISSING), (None, "CasesInvalid"), id="wrong for both"),
        pytest.param(
            error(400, MISSING), DIFFERENT[0], (Fail, "PredictionFailed"), id="right for the active one"
        ),
        pytest.param(
            error(400, "Matrix size-incompatible: In[0]: [2,5]"),
            None,
            (Fail, "PredictionFailed"),
            id="an op of the model's",
        ),
        pytest.param(error(500, "internal"), None, (Fail, "PredictionFailed"), id="500"),
        pytest.param(
            error(500, "internal"), error(500, "x"), (Inconclusive, "Inconclusive"), id="500 of both"
        ),
        pytest.param(
            error(501, "half"), None, (Inconclusive, "Inconclusive"), id="a type that REST does not take"
        ),
        pytest.param(error(503, "unavailable"), None, (None, "TestCannotRun"), id="503"),
        pytest.param(error(504, "Timed out"), None, (None, "TestCannotRun"), id="the server's own time-out"),
        pytest.param(error(429, "queue is full"), None, (None, "TestCannotRun"), id="a full queue"),
        pytest.param(
            error(400, "Could not find variable dense"), None, (Fail, "PredictionFailed"), id="no weights"
        ),
        pytest.param(
            error(404, "Servable not found for request: Specific(m, 1)"),
            None,
            (Fail, "WrongVersion"),
            id="not served",
        ),
        pytest.param(
            error(429, "OOM when allocating tensor with shape[9]"), None, (Fail, "OOMKilled"), id="no memory"
        ),
        pytest.param(trouble(answers.Trouble.Unreachable), None, (None, "PodUnreachable"), id="unreachable"),
        pytest.param(trouble(answers.Trouble.Closed), None, (None, "TestCannotRun"), id="closed"),
        pytest.param(trouble(answers.Trouble.Foreign), None, (None, "TestCannotRun"), id="a proxy"),
    ],
)
def test_whose_fault_an_error_is(answered, control, expected):
    before = pod([control, *DIFFERENT]) if control else None

    outcome = judged(pod([answered, *DIFFERENT]), control=before)

    assert told(outcome) == expected
    assert outcome.out_of_memory == (expected[1] == "OOMKilled")


def test_one_pods_evidence_is_not_undone_by_another_ones_silence():
    unreachable = pod([trouble(answers.Trouble.Unreachable)], name="digits-1-b")

    assert told(judged(unreachable, pod(CONSTANT))) == (Fail, "IdenticalOutputs")


def test_every_pod_is_judged():
    outcome = judged(pod(DIFFERENT), pod(CONSTANT, name="digits-1-b"))

    assert told(outcome) == (Fail, "IdenticalOutputs")
    assert "digits-1-b" in outcome.message


def test_refused_made_inputs_say_nothing_when_others_were_answered():
    refused = [error(400, "indices[0] = 100 is not in [0, 50)")] * 8

    assert told(judged(pod([*DIFFERENT, *refused]), made=True)) == (Pass, "Passed")
    assert told(judged(pod([*DIFFERENT[:2], *refused]), made=True)) == (Inconclusive, "Inconclusive")


@pytest.mark.parametrize("purpose", list(plans.TestPurpose))
def test_a_version_that_is_gone_is_named_after_what_it_means(purpose):
    gone = pod(DIFFERENT, state=recordings.ModelState.End)
    early = purpose in (plans.TestPurpose.Candidate, plans.TestPurpose.Rollback)

    assert judged(gone, purpose=purpose).reason == ("WrongVersion" if early else "ServedVersionLost")


def test_a_test_that_ran_out_of_time_is_no_verdict_unless_it_found_something():
    assert told(judged(pod(DIFFERENT), timed_out=True)) == (None, "TestCannotRun")
    assert told(judged(pod(CONSTANT), timed_out=True)) == (Fail, "IdenticalOutputs")


@pytest.mark.parametrize(
    ("mode", "verdict", "listed"), [("Enforce", Fail, True), ("Warn", Pass, True), ("Off", Pass, False)]
)
def test_a_check_is_enforced_reported_or_left_out(mode, verdict, listed):
    outcome = judged(pod(CONSTANT), checks={"distinctOutputs": {"mode": mode}})

    assert outcome.verdict is verdict
    assert ("distinctOutputs" in {check.name for check in outcome.checks}) == listed


# Properties

FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def healthy_outputs(draw: st.DrawFn) -> list[np.ndarray]:
    """Rows of which at least two are clearly apart, in some element, relative to its size."""
    rows = draw(arrays.arrays(np.float64, st.tuples(st.integers(3, 8), st.integers(1, 5)), elements=FINITE))
    at = draw(st.integers(0, rows.shape[1] - 1))
    rows[0, at] = draw(st.floats(1e-6, 1e6))
    rows[1, at] = rows[0, at] * draw(st.floats(1.01, 100))
    scale = draw(st.sampled_from([1e-20, 1e-9, 1.0, 1e9]))
    return list(rows * scale)


@settings(max_examples=200, deadline=None)
@given(rows=healthy_outputs(), made=st.booleans(), with_goldens=st.booleans())
def test_answers_that_differ_never_fail(rows, made, with_goldens):
    found = [answer(y=row[None]) for row in rows]
    expected = [{"y": row[None].tolist()} for row in rows] if with_goldens else []

    assert judged(pod(found), given=sent(len(rows), expected), made=made and not with_goldens).verdict is Pass


@settings(max_examples=100, deadline=None)
@given(
    rows=arrays.arrays(np.int64, st.tuples(st.integers(2, 8), st.integers(1, 3)), elements=st.integers(0, 3)),
    made=st.booleans(),
)
def test_class_ids_without_goldens_never_fail(rows, made):
    assert judged(pod([answer(y=row[None]) for row in rows]), made=made).verdict in (Pass, Inconclusive)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_order_of_cases_and_pods_does_not_change_the_verdict(data):
    pool = [
        *DIFFERENT,
        CONSTANT[0],
        NAN,
        error(400, MISSING),
        error(500, "x"),
        trouble(answers.Trouble.Closed),
    ]
    found = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8))
    other = data.draw(st.lists(st.sampled_from(pool), min_size=len(found), max_size=len(found)))
    order = data.draw(st.permutations(range(len(found))))
    given_cases = sent(len(found))

    straight = judged(pod(found), pod(other, name="digits-1-b"), given=given_cases)
    shuffled = judged(pod(other, name="digits-1-b"), pod(found), given=[given_cases[i] for i in order])

    assert told(straight) == told(shuffled)


def test_the_module_of_recordings_builds_what_a_server_says():
    assert recorded.metadata("y").signatures["serving_default"].outputs == {"y": recorded.FLOATS}


GPU = (
    "OOM when allocating tensor with shape[32,64] and type float on /job:localhost/replica:0/task:0/device:GPU:0"
    " by allocator GPU_0_bfc"
)
ABSURD = (
    "OOM when allocating tensor with shape[4000000,4000000] and type float on /job:localhost/device:CPU:0"
)


def test_the_memory_of_a_gpu_is_a_cause_of_its_own():
    outcome = judged(pod([error(429, GPU), *DIFFERENT]))

    assert told(outcome) == (Fail, "OOMKilled")
    assert (outcome.cause, outcome.starved_pod) == ("GpuAllocationFailed", outcome.message.split()[1][:-1])


def test_a_made_input_that_was_taken_for_a_size_says_nothing_of_the_model():
    assert told(judged(pod([error(429, ABSURD), *DIFFERENT]), made=True)) != (Fail, "OOMKilled")
    assert told(judged(pod([error(429, ABSURD), *DIFFERENT[:1]]), made=True)) == (
        Inconclusive,
        "Inconclusive",
    )
    assert told(judged(pod([error(429, ABSURD), *DIFFERENT]))) == (Fail, "OOMKilled")
