import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import cases, encoding

CAT = {"name": "cat", "instances": [[0.1, 0.2]], "expect": {"outputs": {"p": [[0.9, 0.1]]}}}
SOURCE = "configmap goldens key cases.json"


def test_cases_of_the_spec_and_of_documents_add_up():
    dog = "- {name: dog, inputs: {x: [[1e-3, 2]]}, expect: {topK: {output: p, k: 1, classes: [[3]]}, rtol: 0.1}}"

    resolved = cases.resolve([CAT], [(SOURCE, dog)])

    assert resolved.cases == (
        cases.Case(name="cat", instances=[[0.1, 0.2]], expect=cases.Expect(outputs={"p": [[0.9, 0.1]]})),
        cases.Case(
            name="dog",
            inputs={"x": [[0.001, 2]]},
            expect=cases.Expect(top_k=cases.TopK(output="p", k=1, classes=((3,),)), rtol=0.1),
        ),
    )


def test_a_dumped_model_with_absent_fields_reads_the_same():
    dumped = {"name": "cat", "instances": [[1]], "inputs": None, "expect": None}

    assert cases.resolve([dumped]) == cases.resolve([{"name": "cat", "instances": [[1]]}])


def test_json_and_yaml_of_the_same_cases_have_one_digest():
    as_json = json.dumps([CAT])
    as_yaml = "- expect: {outputs: {p: [[0.9, 0.1]]}}\n  instances: [[1e-1, 0.2]]\n  name: cat\n"

    assert (
        cases.resolve([], [(SOURCE, as_json)])
        == cases.resolve([], [(SOURCE, as_yaml)])
        == cases.resolve([CAT])
    )


def test_numbers_that_json_does_not_have_are_read():
    resolved = cases.resolve([], [(SOURCE, '[{"name": "a", "instances": [[NaN, -Infinity]]}]')])

    assert str(resolved.cases[0].instances) == "[[nan, -inf]]"
    assert str(cases.from_pinned(resolved.canonical)) == str(resolved)


def test_no_cases_are_made_inputs_under_the_generators_digest():
    assert cases.resolve([], [(SOURCE, "[]")]) is cases.MADE
    assert cases.from_pinned(b"") is cases.MADE
    assert (cases.MADE.cases, cases.MADE.canonical) == ((), b"")


LEAVES = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=5), st.booleans()
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(LEAVES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_pinned_is_read_back(rows):
    resolved = cases.resolve([{"name": "a", "instances": rows}])

    assert cases.from_pinned(resolved.canonical) == resolved


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (3, "smoke.cases[0] is 3; write a mapping with name, instances, inputs, images, expect"),
        (
            {"instances": [1]},
            "smoke.cases[0]: name must be letters, digits, '-', '_' and '.', at most 63, such as cat-1; it is absent",
        ),
        (
            {"name": "cat"},
            'smoke.cases[0] ("cat"): write either instances (a list of rows), inputs (values by input name) or images (files)',
        ),
        (
            {"name": "cat", "instance": [1]},
            "smoke.cases[0]: unknown field 'instance'; did you mean instances?",
        ),
        ({"name": "cat", "instances": {"x": 1}}, "instances must be a list with one entry for each row"),
        ({"name": "cat", "inputs": {}}, "inputs is empty"),
        (
            {"name": "cat", "instances": [1], "expect": {}},
            "expect: write outputs (values by output name) or topK",
        ),
        ({**CAT, "expect": {"outputs": [1]}}, "expect.outputs must be values by output name"),
        ({**CAT, "expect": {"outputs": {"p": [[1], [2, 3]]}}}, "expect.outputs.p: its rows differ in length"),
        ({**CAT, "expect": {"outputs": {"p": [[1], [2]]}}}, "expect.outputs.p has 2 rows for 1 instances"),
        ({**CAT, "expect": {"outputs": {"p": 3}}}, "expect.outputs.p must be a list of numbers"),
        (
            {**CAT, "expect": {"outputs": {"p": [1]}, "rtol": -1}},
            "expect.rtol must be a number that is not negative",
        ),
        ({**CAT, "expect": {"outputs": {"p": [1]}, "atol": "1e-5"}}, "expect.atol must be a number"),
        (
            {**CAT, "expect": {"topK": {"output": "p", "k": 0, "classes": [[]]}}},
            "expect.topK: write {output: NAME, k: 3",
        ),
        (
            {**CAT, "expect": {"topK": {"output": "p", "k": 2, "classes": [[1, 1]]}}},
            "a list of 2 different class numbers",
        ),
        ({"name": "cat", "instances": [{1, 2}]}, "cannot be written as JSON"),
    ],
)
def test_a_case_that_cannot_be_used_is_refused_with_a_remedy(raw, message):
    with pytest.raises(cases.InvalidCases) as caught:
        cases.resolve([raw])

    assert message in str(caught.value)


def test_two_cases_of_one_name_are_refused():
    with pytest.raises(cases.InvalidCases, match='two smoke cases have the name "cat"'):
        cases.resolve([CAT], [(SOURCE, json.dumps([CAT]))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds nothing; write a list of cases"),
        ("a: 1", "it holds dict; write a list of cases"),
        ("[{", "it is neither JSON nor YAML"),
        ("- &a {name: x, instances: [1]}\n- *a\n", "it uses a YAML alias"),
        ("[" * 100_000, "it is nested too deeply"),
        ("- " * 100_000, "it is nested too deeply"),
        ("{'a': " * 50_000, "it is nested too deeply"),
        ("- !!python/object/apply:os.system [ls]", "it is neither JSON nor YAML"),
        (" " * 3_000_000, "it is longer than 2000000 characters"),
        ("- {name: x, instances: [[2020-01-01]]}", "cannot be written as JSON"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_with_its_source(text, message):
    with pytest.raises(cases.InvalidCases) as caught:
        cases.resolve([], [(SOURCE, text)])

    assert message in str(caught.value)
    assert str(caught.value).startswith((SOURCE, "the smoke cases"))


def test_more_than_can_be_pinned_is_refused():
    values = np.random.default_rng(1).random(120_000).tolist()
    with pytest.raises(cases.InvalidCases, match="at most 1000000 compressed bytes can be pinned"):
        cases.resolve([{"name": "a", "instances": [values]}])


PROVENANCE = {
    "tensorflowVersion": "2.21.0",
    "modelDigest": "sha256:1",
    "pipelineDigest": "sha256:2",
    "signature": {
        "name": "serving_default",
        "inputs": {"x": {"dtype": "DT_FLOAT", "shape": [-1, 2]}},
        "outputs": {"y": {"dtype": "DT_FLOAT", "shape": None}},
    },
    "inputs": {"x": {"mean": [0.5, 1], "std": [1, 1], "min": [0, 0], "max": [1, 2], "count": 100}},
    "assets": {"vocab.txt": "sha256:3"},
    "vocabularies": ["vocab.txt"],
}


def test_goldens_come_with_their_provenance_which_is_pinned_and_never_sent():
    text = json.dumps({"provenance": PROVENANCE, "cases": [{"name": "a", "instances": [[1, 2]]}]})
    found = cases.resolve([], [(SOURCE, text)])

    told = found.provenance
    assert told is not None
    assert told.signature_name == "serving_default"
    assert told.signature.inputs["x"] == inspection.Tensor(dtype="DT_FLOAT", shape=(-1, 2))
    assert told.inputs["x"].mean == (0.5, 1.0)
    assert told.vocabularies == ("vocab.txt",)
    assert cases.from_pinned(found.canonical) == found
    assert b"2.21.0" not in encoding.body(found.cases[0], "s")


def test_without_provenance_the_digest_is_the_one_that_earlier_operators_pinned():
    found = cases.resolve([{"name": "a", "instances": [[1, 2]]}])

    assert found.canonical == b'{"cases":[{"instances":[[1,2]],"name":"a"}],"format":1}'


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        {"inputs": 3},
        {"inputs": {"x": {"mean": [1]}}},
        {"inputs": {"x": {**PROVENANCE["inputs"]["x"], "std": [1]}}},
        {"signature": {"inputs": {"x": 1}}},
        {"assets": [1]},
    ],
)
def test_a_provenance_that_was_edited_is_refused(wrong):
    text = json.dumps({"provenance": wrong, "cases": [{"name": "a", "instances": [[1, 2]]}]})
    with pytest.raises(cases.InvalidCases, match="as `golden record` wrote it"):
        cases.resolve([], [(SOURCE, text)])


@pytest.mark.parametrize("canonical", [b"{", b"[]", b'{"format": 3, "cases": []}', b"[" * 100_000, b"\xff"])
def test_pinned_cases_that_cannot_be_read_are_refused(canonical):
    with pytest.raises(cases.InvalidCases, match="pinned cases"):
        cases.from_pinned(canonical)
