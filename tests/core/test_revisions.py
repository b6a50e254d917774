"""What makes a revision, and what does not."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from tfserving_operator.api import types
from tfserving_operator.core import revisions

ALGORITHM = revisions.KNOWN[0]
HERE = ALGORITHM.hash_of(specs.make_spec())


def test_the_hash_of_a_spec_never_changes() -> None:
    """When this fails, an upgrade of the operator restarts every model: bring the old canonical form back."""
    assert HERE == "a7ee7ba6c"
    assert ALGORITHM.hash_of(types.parse_spec(specs.load_example("full")["spec"])) == "a558ff8a3"


def test_the_digests_that_are_kept_in_status_and_annotations_never_change() -> None:
    """When this fails, an upgrade of the operator tries every rejected revision again."""
    spec = types.parse_spec(specs.load_example("full")["spec"])
    assert revisions.spec_digest(spec) == "47906c91c0adfb0f"
    assert revisions.smoke_digest(spec, {"a": "17"}) == "3bde94ef4d8321e6"


def test_a_name_is_the_owners_with_the_algorithms_letter_and_the_hash() -> None:
    assert revisions.name_of("resnet", specs.make_spec()) == f"resnet-{HERE}"
    assert re.fullmatch(r"a[0-9a-f]{8}", HERE)


def test_every_algorithm_has_a_letter_of_its_own() -> None:
    letters = [algorithm.letter for algorithm in revisions.KNOWN]
    assert all(re.fullmatch("[a-z]", letter) for letter in letters)
    assert len(letters) == len(set(letters))


NEWER = replace(ALGORITHM, letter="b")


def named(version: int, algorithm: revisions.Algorithm) -> str:
    return f"resnet-{algorithm.hash_of(specs.make_spec(model={'version': version}))}"


@given(
    version=st.integers(1, 3),
    there=st.lists(st.tuples(st.integers(1, 3), st.sampled_from([ALGORITHM, NEWER])), max_size=6),
)
def test_a_newer_algorithm_goes_on_with_what_an_older_one_has_named_and_with_nothing_else(
    version: int, there: list[tuple[int, revisions.Algorithm]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revisions, "KNOWN", (NEWER, ALGORITHM))
        spec = specs.make_spec(model={"version": version})
        found = revisions.name_of("resnet", spec, there=[named(*each) for each in there])
        same = [algorithm for of, algorithm in there if of == version]
        assert found == named(version, same[0] if same else NEWER)


@given(st.lists(st.text(max_size=20)))
def test_names_that_no_known_algorithm_gives_count_for_nothing(there: list[str]) -> None:
    assert revisions.name_of("resnet", specs.make_spec(), there=there) == f"resnet-{HERE}"


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 3},
        {"rollout": {"bakeSeconds": 0, "retryToken": "x"}},
        {"service": {"type": "NodePort"}},
        {"smoke": {"cases": [{"name": "a", "instances": [1]}]}},
        {"template": {}},
        {"template": {"metadata": {"labels": {}}, "spec": {"tolerations": []}}},
        {"template": None},
        {"server": {"flags": {}, "env": []}},
        {"resources": {"limits": {"memory": "1024Mi"}}},
        {"resources": {"limits": {"memory": 1073741824}}},
    ],
)
def test_what_pods_do_not_depend_on_makes_no_revision(changes: dict[str, Any]) -> None:
    assert ALGORITHM.hash_of(specs.make_spec(**changes)) == HERE


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"version": 8}},
        {"model": {"uri": "pvc://models/other"}},
        {"model": {"name": "other"}},
        {"server": {"image": "tensorflow/serving:2.20.0"}},
        {"server": {"flags": {"enable_batching": "true"}}},
        {"server": {"env": [{"name": "A", "value": ""}]}},
        {"resources": {"limits": {"memory": "2Gi"}}},
        {"resources": {"requests": {"memory": "1Gi"}}},
        {"resources": {"limits": {"memory": "no quantity"}}},
        {"template": {"metadata": {"labels": {"a": ""}}}},
        {"template": {"spec": {"securityContext": {"runAsUser": None}}}},
        {"template": {"spec": {"terminationGracePeriodSeconds": 60}}},
    ],
)
def test_what_pods_depend_on_makes_a_revision(changes: dict[str, Any]) -> None:
    assert ALGORITHM.hash_of(specs.make_spec(**changes)) != HERE


def test_the_order_of_keys_does_not_count_and_that_of_lists_does() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    one = specs.make_spec(server={"flags": {"a": "1", "b": "2"}, "env": env})
    same = specs.make_spec(server={"flags": {"b": "2", "a": "1"}, "env": env})
    other = specs.make_spec(server={"flags": {"a": "1", "b": "2"}, "env": env[::-1]})
    assert ALGORITHM.hash_of(one) == ALGORITHM.hash_of(same) != ALGORITHM.hash_of(other)


CASE = {"name": "a", "instances": [[1.0]], "expect": {"outputs": {"y": [[2.0]]}}}


def test_times_do_not_count_as_smoke_input() -> None:
    one = specs.make_spec(smoke={"cases": [CASE]})
    same = specs.make_spec(
        smoke={"cases": [CASE], "timeoutSeconds": 5, "load": {"requests": 1}, "onInconclusive": "Promote"}
    )
    assert revisions.smoke_digest(one, {}) == revisions.smoke_digest(same, {})


@pytest.mark.parametrize(
    ("smoke", "versions"),
    [
        ({"cases": []}, {}),
        ({"cases": [{**CASE, "instances": [[1.5]]}]}, {}),
        ({"cases": [CASE], "checks": {"finite": {"mode": "Warn"}}}, {}),
        ({"cases": [CASE], "casesFrom": [{"configMap": {"name": "a", "key": "b"}}]}, {}),
        ({"cases": [CASE]}, {"a": "17"}),
    ],
)
def test_cases_checks_and_labelled_config_maps_count_as_smoke_input(
    smoke: dict[str, Any], versions: dict[str, str]
) -> None:
    before = revisions.smoke_digest(specs.make_spec(smoke={"cases": [CASE]}), {})
    assert revisions.smoke_digest(specs.make_spec(smoke=smoke), versions) != before
