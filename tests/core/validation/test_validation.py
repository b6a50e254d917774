"""One table of what is refused, with field, message and reason; the same table goes through the API server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import specs
from tests.support.inputs import INPUTS, Input
from tfserving_operator.api import types
from tfserving_operator.api.reasons import Reason
from tfserving_operator.core import snapshot, validation
from tfserving_operator.core.validation import flags

WIDE = snapshot.Policy(
    inspect_image="x",
    allowed_images=("tensorflow/serving:*", "registry.example.org/*"),
    allowed_service_accounts=("default", "reader"),
    allowed_priority_classes=("high",),
    allowed_runtime_classes=("gvisor",),
    allowed_service_types=("ClusterIP", "LoadBalancer"),
    allowed_service_annotations=("service.beta.example.org/*",),
)


def _validate(given: Input) -> tuple[validation.Violation, ...]:
    return validation.validate(specs.make_spec(**given.changes), owner_name=given.name, policy=specs.POLICY)


@pytest.mark.parametrize("given", [i for i in INPUTS if i.parses], ids=lambda given: given.title)
def test_an_input_leads_to_this_verdict(given: Input) -> None:
    said = [f"{v.field}: {v.message}" for v in _validate(given)]
    assert said == list(given.said)


@pytest.mark.parametrize("given", [i for i in INPUTS if i.parses and i.said], ids=lambda given: given.title)
def test_each_violation_names_value_and_remedy_and_fits_into_a_condition(given: Input) -> None:
    for violation in _validate(given):
        assert violation.field
        assert violation.problem
        assert violation.remedy
        assert len(violation.message) < 1024
        in_resources = violation.field.startswith("spec.resources")
        assert (violation.reason is Reason.InvalidResources) == in_resources


@pytest.mark.parametrize("given", [i for i in INPUTS if not i.parses], ids=lambda given: given.title)
def test_an_input_of_the_wrong_form_is_refused_by_the_types(given: Input) -> None:
    with pytest.raises(ValueError, match=r"^spec") as refused:
        specs.make_spec(**given.changes)
    assert given.said[0] in str(refused.value)


ASKS = {
    "spec.server.image": {"server": {"image": "registry.example.org/serving:1"}},
    "spec.template.spec.serviceAccountName": {"template": {"spec": {"serviceAccountName": "reader"}}},
    "spec.template.spec.priorityClassName": {"template": {"spec": {"priorityClassName": "high"}}},
    "spec.template.spec.runtimeClassName": {"template": {"spec": {"runtimeClassName": "gvisor"}}},
    "spec.disruption.maxUnavailable": {"disruption": {"maxUnavailable": 1}},
    "spec.service.type": {"service": {"type": "LoadBalancer"}},
    "spec.service.annotations[service.beta.example.org/x]": {
        "service": {"annotations": {"service.beta.example.org/x": ""}}
    },
}


@pytest.mark.parametrize("field", ASKS)
def test_what_the_installation_allows_is_allowed_and_nothing_else(field: str) -> None:
    narrow = snapshot.Policy(inspect_image="x", allowed_images=("tensorflow/*",), disruption_budgets=False)
    spec = specs.make_spec(**ASKS[field])
    assert validation.validate(spec, owner_name="resnet", policy=WIDE) == ()
    (violation,) = validation.validate(spec, owner_name="resnet", policy=narrow)
    assert (violation.field, violation.reason) == (field, Reason.PolicyViolation)
    assert violation.value in violation.message


def test_the_grace_period_leaves_the_server_time_after_its_drain() -> None:
    spec = specs.make_spec(template={"spec": {"terminationGracePeriodSeconds": 14}})
    policy = snapshot.Policy(inspect_image="x", drain_seconds=10)
    (violation,) = validation.validate(spec, owner_name="resnet", policy=policy)
    assert violation.field == "spec.template.spec.terminationGracePeriodSeconds"
    assert violation.remedy == "write at least 15"


def test_cases_too_large_for_etcd_are_sent_to_a_config_map() -> None:
    rows = [[0.123456] * 1000] * 30
    spec = specs.make_spec(smoke={"cases": [{"name": "big", "instances": rows}]})
    (violation,) = validation.validate(spec, owner_name="resnet", policy=specs.POLICY)
    assert violation.field == "spec.smoke.cases"
    assert "casesFrom" in violation.remedy


def test_the_flags_of_the_examples_are_known() -> None:
    spec = types.parse_spec(specs.load_example("full")["spec"])
    assert set(spec.server.flags) <= set(flags.KNOWN)


TEXTS = st.one_of(st.text(max_size=40), st.text(alphabet="0123456789.+-eEinumkKMGTP", max_size=20))
KEYS = st.one_of(
    st.sampled_from(["cpu", "memory", "nvidia.com/gpu", *flags.KNOWN]), st.text(min_size=1, max_size=20)
)


@settings(max_examples=300)
@given(
    resources=st.fixed_dictionaries(
        {},
        optional={
            "requests": st.dictionaries(KEYS, TEXTS, max_size=4),
            "limits": st.dictionaries(KEYS, TEXTS, max_size=4),
        },
    ),
    flag_values=st.dictionaries(KEYS, TEXTS, max_size=4),
    uri=st.text(min_size=1, max_size=40),
    owner=st.text(max_size=60),
    labels=st.dictionaries(TEXTS.filter(bool), st.sampled_from(["", "a"]), max_size=3),
)
def test_validation_never_raises_and_always_names_the_field(
    resources: dict[str, dict[str, str]],
    flag_values: dict[str, str],
    uri: str,
    owner: str,
    labels: dict[str, str],
) -> None:
    raw = specs.make_raw(
        model={"uri": uri}, server={"flags": flag_values}, template={"metadata": {"labels": labels}}
    )
    raw["resources"] = resources
    try:
        spec = types.parse_spec(raw)
    except ValueError:
        return  # of the wrong form: the types' own test
    for violation in validation.validate(spec, owner_name=owner, policy=specs.POLICY):
        assert violation.field.startswith(("spec.", "metadata."))
        assert violation.message
