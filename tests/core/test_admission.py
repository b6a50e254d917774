"""The webhook's answers, pure: the table of inputs, and what is let through whatever it holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from tests.support.inputs import INPUTS, Input
from tfserving_operator.core import admission
from tfserving_operator.core.validation import manifests


def _object(given: Input) -> dict[str, Any]:
    return {
        "apiVersion": manifests.API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": given.name, "namespace": "vision"},
        "spec": specs.make_raw(**given.changes),
    }


def _review(raw: Any, **more: Any) -> dict[str, Any]:
    answer = admission.review({"request": {"uid": "u-1", "object": raw, **more}}, specs.POLICY)
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = answer["response"]
    assert response["uid"] == "u-1"
    return response


@pytest.mark.parametrize("given", INPUTS, ids=[each.title for each in INPUTS])
def test_the_webhook_says_of_each_input_what_the_table_says(given: Input) -> None:
    response = _review(_object(given))
    assert response["allowed"] == (not given.said or not given.is_refused)
    if not given.parses:
        assert given.said[0].split(":")[0].split(" ")[0] in response["status"]["message"]
    elif given.said and given.is_refused:
        assert response["status"]["message"] == "; ".join(given.said)
        assert [f"{c['field']}: {c['message']}" for c in response["status"]["details"]["causes"]] == list(
            given.said
        )
    elif given.said:
        assert response["warnings"] == list(given.said)
    else:
        assert "warnings" not in response


WRONG = _object(Input(title="", changes={"resources": {"limits": {"memory": "500m"}}}))


def test_an_object_that_is_stored_already_can_be_labelled() -> None:
    assert _review({**WRONG, "metadata": {"name": "resnet", "labels": {"a": "b"}}}, oldObject=WRONG)[
        "allowed"
    ]


def test_an_update_of_the_spec_is_judged() -> None:
    other = _object(Input(title="", changes={}))
    assert not _review(WRONG, oldObject=other)["allowed"]


def test_a_generated_name_is_judged_as_it_will_be() -> None:
    good = _object(Input(title="", changes={}))
    good["metadata"] = {"generateName": "resnet-"}
    assert _review(good, name="resnet-x7k2p")["allowed"]


@pytest.mark.parametrize("raw", [None, {}, {"kind": "Pod"}, {"apiVersion": "v1", "kind": "ModelDeployment"}])
def test_what_is_not_ours_is_let_through(raw: Any) -> None:
    assert _review(raw)["allowed"]


@pytest.mark.parametrize("raw", [None, [], {}, {"request": None}, {"request": {}}, {"request": {"uid": 1}}])
def test_what_is_no_review_is_refused(raw: Any) -> None:
    with pytest.raises(admission.InvalidReviewError):
        admission.review(raw, specs.POLICY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(spec=JSON, metadata=JSON)
def test_whatever_is_sent_gets_an_answer(spec: Any, metadata: Any) -> None:
    raw = {"apiVersion": manifests.API_VERSION, "kind": "ModelDeployment", "metadata": metadata, "spec": spec}
    assert not _review(raw)["allowed"]
