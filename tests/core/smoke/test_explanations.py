"""What holds for every explanation, whatever was recorded."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.core.smoke import networks, recorded, simulated
from tests.support import smoketests
from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import answers, cases, causes, encoding, judge, plans, probes, recordings
from tfserving_operator.core.smoke.causing import table
from tfserving_operator.core.smoke.checks import evidence

VALUES = st.one_of(
    arrays.arrays(np.float32, st.sampled_from([(1, 2), (1, 3), (2,), (1,), (0,)])),
    arrays.arrays(np.int64, st.sampled_from([(1, 2), (1,)]), elements=st.integers(-3, 3)),
    st.sampled_from([np.array(["cat"]), np.array([[True, False]]), np.array(3.5)]),
)
ANSWERS = st.one_of(
    st.builds(lambda values: answers.Answer(status=200, outputs={"y": values}), VALUES),
    st.builds(lambda values: answers.Answer(status=200, outputs={"": values}), VALUES),
    st.sampled_from(
        [
            answers.Answer(status=400, error="no"),
            answers.Answer(trouble=answers.Trouble.TimedOut),
            answers.Answer(),
        ]
    ),
)
GOLDENS = st.sampled_from([[[0.1, 0.9]], [[0.8, 0.2]], [[1.0, 0.0]], [[0.5]], [[2]]])
INSPECTIONS = st.one_of(
    st.none(),
    st.builds(
        lambda clues: inspection.Inspection(clues=dict.fromkeys(clues, "")),
        st.sets(st.sampled_from(list(inspection.Clue)), max_size=3),
    ),
)


@st.composite
def recordings_of_anything(draw: st.DrawFn) -> tuple[plans.TestRequest, recordings.Recording]:
    given = tuple(recorded.case(i, {"y": draw(GOLDENS)}) for i in range(3))
    pod = recorded.pod(
        [draw(ANSWERS) for _ in given],
        repeated={case.name: draw(ANSWERS) for case in given},
        alone={"c0": (draw(ANSWERS),)},
        together=recordings.Batch(rows=(("c0", 0), ("c1", 0)), answer=draw(ANSWERS)),
        metadata=recorded.metadata("y"),
    )
    request = smoketests.request(inspection=draw(INSPECTIONS))
    return request, recordings.Recording(targets=(pod,), sent=given)


def bodies(planned: dict[str, tuple[cases.Case, ...]]) -> dict[str, list[bytes]]:
    return {name: [encoding.body(case, "s") for case in each] for name, each in planned.items()}


@settings(max_examples=60, deadline=None)
@given(recordings_of_anything(), st.data())
def test_nothing_that_is_answered_breaks_a_search_and_each_ends_within_its_budget(
    asked: tuple[plans.TestRequest, recordings.Recording], data: st.DataObject
):
    request, recording = asked
    requests = 0
    while planned := judge.plan_probes(request, recording):
        assert bodies(planned) == bodies(judge.plan_probes(request, recording))
        found = {n: {c.name: data.draw(ANSWERS) for c in each} for n, each in planned.items()}
        requests += sum(len(each) for each in planned.values())
        assert requests <= probes.MAX_REQUESTS
        recording = replace(recording, probes={**recording.probes, **found})

    def judged() -> plans.TestOutcome:
        return judge.judge(request, cases.MADE, recording, smoketests.NOW, smoketests.NOW)

    outcome = judged()
    again = judged()
    assert (outcome.verdict, outcome.cause, outcome.message) == (again.verdict, again.cause, again.message)
    assert len(outcome.message) <= evidence.MESSAGE_CHARACTERS
    for cause in filter(None, outcome.cause.split(" or ")):
        assert cause in causes.REMEDIES
    if outcome.verdict is not reasons.Verdict.Fail:
        assert outcome.cause == ""


@pytest.mark.parametrize("rules", [table.BEFORE, table.AFTER, table.LAST])
def test_every_rule_speaks_of_failures_that_exist_and_says_nothing_of_a_healthy_model(
    rules: tuple[table.Rule, ...],
):
    rng = np.random.default_rng(1)
    network = networks.dense(rng, 4)

    def model(columns: simulated.Columns) -> dict[str, Any]:
        return {"y": network(columns["x"])}

    given = simulated.cases_of({"x": rng.normal(size=(8, 4))}, model, rows_each=2)
    server = simulated.Server(
        model=model, signature=simulated.signature_of({"x": rng.normal(size=(8, 4))}, ("y",))
    )
    found = evidence.gather(smoketests.request(), simulated.record(server, given))

    for rule in rules:
        assert rule.reasons <= set(reasons.Reason)
        assert rule.tell(found) is None


def test_a_cause_that_a_check_knows_itself_gets_its_remedy():
    failure = plans.CheckResult(
        name="finite",
        verdict=reasons.Verdict.Fail,
        enforced=True,
        reason=reasons.Reason.NonFiniteOutputs,
        cause=causes.Cause.NotANumber,
        message="pod a, case c0: output y[0] is NaN",
    )
    found = evidence.gather(smoketests.request(), recordings.Recording(targets=()))

    told = probes.explain(found, failure)

    assert told.cause == causes.Cause.NotANumber
    assert told.message.startswith(failure.message)
    assert "epsilon" in told.message
