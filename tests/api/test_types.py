"""What users may write, and what they are told when they may not."""

from typing import Any

import pytest

from tests.support import specs
from tfserving_operator.api import types


@pytest.mark.parametrize("example", ["minimal", "full"])
def test_the_examples_are_accepted(example: str) -> None:
    spec = types.parse_spec(specs.load_example(example)["spec"])
    assert spec.model.version == 7


def test_what_is_left_out_has_the_documented_defaults() -> None:
    spec = specs.make_spec()
    assert spec.replicas == 1
    assert spec.model.signature_name == "serving_default"
    assert spec.smoke.checks.distinct_outputs.min_relative_spread == 1e-6
    modes = {name: check.mode for name, check in spec.smoke.checks}
    by_goldens = {"class_collapse", "repeatability", "batch_invariance", "load_answers"}
    assert {name for name, mode in modes.items() if mode is None} == by_goldens
    assert set(modes.values()) == {None, "Enforce"}
    assert (spec.smoke.timeout_seconds, spec.smoke.repeat_seconds, spec.smoke.on_inconclusive) == (
        120,
        600,
        "Hold",
    )
    assert (spec.smoke.load.requests, spec.smoke.load.concurrency) == (64, 4)
    assert (spec.rollout.progress_deadline_seconds, spec.rollout.bake_seconds) == (600, 120)
    assert (spec.rollout.oom.max_kills, spec.rollout.oom.window_seconds) == (2, 600)
    assert (spec.rollout.revision_history_limit, spec.rollout.paused, spec.rollout.retry_token) == (
        10,
        False,
        "",
    )
    assert spec.template.spec.security_context.run_as_user == 65532


def test_a_null_counts_as_absent_but_for_the_ids_of_users_and_groups() -> None:
    spec = specs.make_spec(
        rollout=None,
        template={"spec": {"affinity": None, "securityContext": {"runAsUser": None, "fsGroup": None}}},
    )
    assert spec.rollout.bake_seconds == 120
    context = spec.template.spec.security_context
    assert (context.run_as_user, context.run_as_group, context.fs_group) == (None, 65532, None)


def test_nulls_within_instances_are_the_models_own() -> None:
    spec = specs.make_spec(smoke={"cases": [{"name": "a", "instances": [{"x": None}]}]})
    assert spec.smoke.cases[0].instances == [{"x": None}]


def test_a_whole_number_is_a_quantity() -> None:
    assert specs.make_spec(resources={"limits": {"cpu": 2}}).resources.limits["cpu"] == "2"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a version of 0", {"model": {"version": 0}}, "spec.model.version: 0 is too small: write at least 1"),
    (
        "a version in quotes",
        {"model": {"version": "7"}},
        'spec.model.version: "7" must be a whole number without quotes',
    ),
    (
        "a version beyond int64",
        {"model": {"version": 2**63}},
        "spec.model.version: 9223372036854775808 is too large: write at most 9223372036854775807",
    ),
    (
        "a version of true",
        {"model": {"version": True}},
        "spec.model.version: true must be a whole number without quotes",
    ),
    (
        "a misspelt field",
        {"model": {"verison": 7}},
        "spec.model.verison is not a field: did you mean version?",
    ),
    (
        "a field that is not there",
        {"resourceRules": "Warn"},
        "spec.resourceRules is not a field: did you mean resources?",
    ),
    (
        "a field like no other",
        {"service": {"zzz": 1}},
        "spec.service.zzz is not a field: known here: type, annotations",
    ),
    (
        "an unknown strategy",
        {"rollout": {"strategy": "Canary"}},
        'spec.rollout.strategy: "Canary" is not one of BlueGreen',
    ),
    (
        "a choice of two",
        {"smoke": {"onInconclusive": "hold"}},
        'spec.smoke.onInconclusive: "hold" is not one of Hold, Promote',
    ),
    (
        "a flag's value without quotes",
        {"server": {"flags": {"grpc_max_threads": 2}}},
        "spec.server.flags.grpc_max_threads: 2 must be text: write the value in quotes",
    ),
    (
        "an environment from a Secret",
        {"server": {"env": [{"name": "A", "valueFrom": {}}]}},
        "spec.server.env[0].valueFrom is not a field: did you mean value?",
    ),
    (
        "half a core without quotes",
        {"resources": {"limits": {"cpu": 0.5}}},
        'spec.resources.limits.cpu: 0.5 is a fraction without quotes: write "0.5" or 500m',
    ),
    (
        "a privileged pod",
        {"template": {"spec": {"securityContext": {"privileged": True}}}},
        "spec.template.spec.securityContext.privileged is not a field: known here: runAsUser, runAsGroup, fsGroup, "
        "fsGroupChangePolicy, supplementalGroups, supplementalGroupsPolicy, seccompProfile",
    ),
    (
        "root",
        {"template": {"spec": {"securityContext": {"runAsUser": 0}}}},
        "spec.template.spec.securityContext.runAsUser: 0 is too small: write at least 1",
    ),
    (
        "a container of one's own",
        {"template": {"spec": {"containers": []}}},
        "spec.template.spec.containers is not a field: known here:",
    ),
    (
        "a list where an object belongs",
        {"template": {"metadata": []}},
        "spec.template.metadata: [] must be an object with fields",
    ),
    (
        "an endless number",
        {"smoke": {"checks": {"distinctOutputs": {"minRelativeSpread": float("nan")}}}},
        "spec.smoke.checks.distinctOutputs.minRelativeSpread: NaN",
    ),
    (
        "a case without its key",
        {"smoke": {"casesFrom": [{"configMap": {"name": "a"}}]}},
        "spec.smoke.casesFrom[0].configMap.key is required",
    ),
]


@pytest.mark.parametrize(
    ("changes", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_refused_is_named_with_its_path_its_value_and_a_remedy(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"^spec") as refused:
        types.parse_spec(specs.make_raw(**changes))
    assert message in str(refused.value)


def test_a_missing_version_is_named() -> None:
    raw = specs.make_raw()
    del raw["model"]["version"]
    with pytest.raises(ValueError, match=r"^spec\.model\.version is required$"):
        types.parse_spec(raw)


def test_all_problems_are_named_at_once_and_without_jargon() -> None:
    raw = specs.make_raw(replicas=-1, model={"version": 0}, rollout={"paused": "no"})
    with pytest.raises(ValueError, match="replicas") as refused:
        types.parse_spec(raw)
    message = str(refused.value)
    assert message.count(";") == 2
    assert "pydantic" not in message
    assert "http" not in message
    assert "Input" not in message


def test_a_hundred_problems_still_fit_into_a_condition() -> None:
    raw = specs.make_raw(server={"flags": {f"f{i}": i for i in range(60)}})
    with pytest.raises(ValueError, match="and 50 more") as refused:
        types.parse_spec(raw)
    assert len(str(refused.value)) < 2048


@pytest.mark.parametrize("raw", [{}, [], None, "x", {"spec": {}}])
def test_what_is_no_spec_at_all_is_a_value_error_too(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"^spec"):
        types.parse_spec(raw)
