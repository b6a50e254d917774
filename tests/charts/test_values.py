"""What the chart takes, what it refuses, and that its policy is the operator's."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.docgen import values as documented
from tests.charts import rendering
from tfserving_operator import config
from tfserving_operator.core import policies, snapshot

pytestmark = pytest.mark.cluster

DEFAULTS: dict[str, Any] = yaml.safe_load((rendering.CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((rendering.CHART / "values.schema.json").read_text())
POLICY: dict[str, Any] = {
    "imagePullPolicy": "Always",
    "allowedImages": ["registry.example.org/*", "other/serving:*"],
    "allowedServiceAccounts": ["default", "reader"],
    "allowedPriorityClasses": ["high"],
    "allowedRuntimeClasses": ["gvisor"],
    "allowedServiceTypes": ["ClusterIP", "LoadBalancer"],
    "allowedServiceAnnotations": ["example.org/*"],
    "drainSeconds": 9,
    "disruptionBudgets": False,
}


_ELSEWHERE = {"inspect_image", "network", "operator_namespace"}
"""Of the policy of decisions, but none of what tenants may ask for."""


def settings(folder: Path, *sets: str, **values: Any) -> config.Config:
    """The settings as the operator reads them out of the chart's ConfigMap."""
    found = rendering.one(rendering.render(*sets, **values), "ConfigMap")
    path = folder / "config.yaml"
    path.write_text(found["data"]["config.yaml"])
    return config.Config.load(path, overrides={}, environ={})


# The policy for tenants


def test_the_defaults_are_the_operators_own(tmp_path: Path) -> None:
    assert settings(tmp_path) == config.Config(inspect_image="tfserving-operator:0.1.0")


def test_every_value_of_the_policy_reaches_what_decisions_read(tmp_path: Path) -> None:
    read = settings(tmp_path, policy=POLICY, watchNamespaces=["a", "b"])
    built = policies.build_policy(read)
    assert built.image_pull_policy == "Always"
    assert built.allowed_images == ("registry.example.org/*", "other/serving:*")
    assert built.allowed_service_accounts == ("default", "reader")
    assert built.allowed_priority_classes == ("high",)
    assert built.allowed_runtime_classes == ("gvisor",)
    assert built.allowed_service_types == ("ClusterIP", "LoadBalancer")
    assert built.allowed_service_annotations == ("example.org/*",)
    assert built.drain_seconds == 9
    assert not built.disruption_budgets
    assert read.watch_namespaces == ("a", "b")


def test_every_wish_that_a_decision_can_narrow_has_a_value_in_the_chart() -> None:
    known = {field.name for field in dataclasses.fields(snapshot.Policy)} - _ELSEWHERE
    aliases = {name: field.alias for name, field in config.Config.model_fields.items()}
    assert {aliases[name] for name in known} <= DEFAULTS["policy"].keys() == POLICY.keys()


def test_nothing_is_allowed_that_was_not_asked_for(tmp_path: Path) -> None:
    built = policies.build_policy(settings(tmp_path))
    assert built.allowed_service_accounts == ("default",)
    assert built.allowed_service_types == ("ClusterIP",)
    assert built.allowed_priority_classes == built.allowed_runtime_classes == ()
    assert built.allowed_service_annotations == ()


# The schema


def paths(node: dict[str, Any], above: str = "") -> set[str]:
    """The paths of values, and of maps that are values themselves."""
    found = set()
    for key, value in node.items():
        if isinstance(value, dict) and value and f"{above}{key}" not in LEAVES:
            found |= paths(value, f"{above}{key}.")
        else:
            found.add(f"{above}{key}")
    return found


LEAVES = {v.path for v in documented.read(rendering.CHART / "values.yaml")}


def schema_at(path: str) -> dict[str, Any] | None:
    at: Any = SCHEMA
    for part in path.split("."):
        at = at.get("properties", {}).get(part)
        if at is None:
            return None
        if "$ref" in at:
            at = SCHEMA["definitions"][at["$ref"].rpartition("/")[2]]
    return dict(at)


def test_the_schema_and_the_values_are_of_the_same_things() -> None:
    assert [path for path in paths(DEFAULTS) if schema_at(path) is None] == []

    def named(node: dict[str, Any], above: str = "") -> set[str]:
        found = set()
        for key, value in node.get("properties", {}).items():
            path = f"{above}{key}"
            inner = named(value, f"{path}.") if path not in LEAVES else set()
            found |= inner or {path}
        return found

    assert named(SCHEMA) - {"global"} == paths(DEFAULTS)


def test_no_object_of_the_schema_takes_what_it_does_not_name() -> None:
    free = {"global", "affinity.nodeAffinity", "affinity.podAffinity", "affinity.podAntiAffinity"}

    def open_objects(node: Any, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        found = (
            [path] if node.get("type") == "object" and node.get("additionalProperties", True) is True else []
        )
        for key in ("properties", "definitions"):
            for name, inner in node.get(key, {}).items():
                found += open_objects(inner, f"{path}.{name}".lstrip("."))
        return found + open_objects(node.get("items"), f"{path}[]")

    assert set(open_objects(SCHEMA, "")) == free


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"replicas": "x"}, "at '/replicas': got string, want integer"),
        ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
        ({"logFormat": "xml"}, "at '/logFormat': value must be one of 'json', 'console'"),
        ({"polcy": {}}, "additional properties 'polcy' not allowed"),
        ({"policy.alowedImages": []}, "at '/policy': additional properties 'alowedImages' not allowed"),
        ({"policy.allowedImages": "x/*"}, "at '/policy/allowedImages': got string, want array"),
        ({"policy.allowedImages": [""]}, "at '/policy/allowedImages/0'"),
        ({"policy.allowedServiceTypes": ["External"]}, "at '/policy/allowedServiceTypes/0'"),
        ({"policy.allowedServiceTypes": []}, "at '/policy/allowedServiceTypes'"),
        ({"policy.drainSeconds": 4000}, "at '/policy/drainSeconds': maximum: got 4,000, want 3,600"),
        ({"watchNamespaces": ["Team_A"]}, "at '/watchNamespaces/0'"),
        ({"watchNamespaces": ["a", "a"]}, "at '/watchNamespaces'"),
        ({"image.tag": 1.19}, "at '/image/tag': got number, want string"),
        ({"image.digest": "abc"}, "at '/image/digest'"),
        ({"resources": {"limit": {}}}, "at '/resources': additional properties 'limit' not allowed"),
        ({"resources": {"limits": {"memory": "lots"}}}, "at '/resources/limits/memory'"),
        ({"podLabels": {"a b": "c"}}, "'a b' does not match pattern"),
        ({"podAnnotations": {"a": 1}}, "at '/podAnnotations/a': got number, want string"),
        ({"tolerations": [{"effect": "Never"}]}, "at '/tolerations/0/effect'"),
        ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "missing properties"),
        ({"rbac.aggregateToDefaultRoles": "maybe"}, "at '/rbac/aggregateToDefaultRoles'"),
        ({"networkPolicies.operator.apiServerCIDRs": ["10.0.0.1"]}, "apiServerCIDRs/0"),
        ({"networkPolicies.operator.apiServerPorts": []}, "apiServerPorts"),
        ({"networkPolicies.models.grpcFrom": [{}]}, "grpcFrom/0"),
        ({"networkPolicies.models.grpcFrom": {"podSelector": {}}}, "got object, want array"),
        ({"networkPolicies.models.egress": [{"ports": [{"port": 443}]}]}, "missing property 'to'"),
        ({"networkPolicies.models.egress": [{"to": [], "ports": [{"port": 443}]}]}, "egress/0/to"),
        ({"metrics.serviceMonitor.interval": "often"}, "at '/metrics/serviceMonitor/interval'"),
        ({"metrics.prometheusRule.runbookBaseURL": "wiki"}, "runbookBaseURL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_refused_by_a_line_that_names_it(wrong: dict[str, Any], said: str) -> None:
    answer = rendering.refusal(**wrong)
    assert "values don't meet the specifications of the schema" in answer
    assert said in answer


# The README


def test_every_value_is_told_of_with_its_default() -> None:
    rows = (rendering.CHART / "README.md").read_text()
    for value in documented.read(rendering.CHART / "values.yaml"):
        assert f"| `{value.path}` | `{json.dumps(value.default)}` |" in rows
        assert value.text.endswith((".", "`."))


def test_the_values_of_the_readme_are_taken() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (rendering.CHART / "README.md").read_text(), re.DOTALL)
    kinds = {one["kind"] for one in rendering.render(**yaml.safe_load(shown))}
    assert {"PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"} <= kinds


def test_a_value_that_says_nothing_about_itself_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("# -- Told of.\na: 1\n# not told of\nb:\n  # -- Over\n  # two lines.\n  c: []\n")
    assert [(v.path, v.default, v.text) for v in documented.read(path)] == [
        ("a", 1, "Told of."),
        ("b.c", [], "Over two lines."),
    ]
    path.write_text("a: 1\n")
    with pytest.raises(ValueError, match="a has no comment"):
        documented.read(path)
