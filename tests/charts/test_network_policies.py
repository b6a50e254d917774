"""The chart's network policies, evaluated by cyclonus over a table of flows; nothing here enforces them."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.charts import tools
from tests.charts import flows, rendering
from tests.docs import pages
from tests.support import specs
from tfserving_operator import config
from tfserving_operator.api import constants
from tfserving_operator.core import policies, workloads

pytestmark = pytest.mark.cluster


def verdicts(policies: list[rendering.Object], asked: list[flows.Flow], folder: Path) -> Iterator[bool]:
    """Whether cyclonus takes each flow for allowed, at both of its ends."""
    (folder / "policies").mkdir()
    for number, policy in enumerate(policies):
        (folder / "policies" / f"{number}.yaml").write_text(yaml.safe_dump(policy))
    traffic = [
        {
            "Source": source.peer(),
            "Destination": target.peer(),
            "ResolvedPort": port,
            "ResolvedPortName": "",
            "Protocol": protocol,
        }
        for _, source, target, port, protocol, _ in asked
    ]
    (folder / "traffic.json").write_text(json.dumps(traffic))
    done = subprocess.run(
        [
            *(str(tools.ensure_cyclonus()), "analyze", "--mode", "query-traffic"),
            *("--policy-path", str(folder / "policies"), "--traffic-path", str(folder / "traffic.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = re.split(r"^Is traffic allowed\?$", done.stdout, flags=re.MULTILINE)[1:]
    assert len(said) == len(asked), done.stdout + done.stderr
    for part in said:
        (allowed,) = re.findall(r"IS ALLOWED\?\W+(TRUE|FALSE)", part)
        yield allowed == "TRUE"


@pytest.mark.parametrize(("values", "asked"), [t[1:] for t in flows.TABLE], ids=[t[0] for t in flows.TABLE])
def test_flows_are_allowed_and_denied_as_the_table_says(
    values: dict[str, Any], asked: list[flows.Flow], tmp_path: Path
) -> None:
    policies = rendering.of(rendering.render(**values), "NetworkPolicy")
    found = verdicts(policies, asked, tmp_path)
    wrong = [
        f"{flow[0]}: {'allowed' if allowed else 'denied'}"
        for flow, allowed in zip(asked, found, strict=True)
        if allowed is not flow[-1]
    ]
    assert wrong == []


def made(values: dict[str, Any], folder: Path) -> rendering.Object:
    """The policy that the operator makes with the chart's settings for the ModelDeployment resnet of vision."""
    settings = rendering.one(rendering.render(**values), "ConfigMap")["data"]["config.yaml"]
    (folder / "config.yaml").write_text(settings)
    network = policies.build_policy(config.Config.load(folder / "config.yaml", overrides={})).network
    assert network is not None
    return workloads.build_network_policy(owner=specs.OWNER, network=network)


@pytest.mark.parametrize(
    ("values", "asked"), [t[1:] for t in flows.MADE_TABLE], ids=[t[0] for t in flows.MADE_TABLE]
)
def test_the_policies_that_the_operator_makes_do_as_the_table_says(
    values: dict[str, Any], asked: list[flows.Flow], tmp_path: Path
) -> None:
    found = verdicts([made(values, tmp_path)], asked, tmp_path)
    wrong = [
        f"{flow[0]}: {'allowed' if allowed else 'denied'}"
        for flow, allowed in zip(asked, found, strict=True)
        if allowed is not flow[-1]
    ]
    assert wrong == []


def test_the_operator_makes_no_policy_unless_the_values_say_so(tmp_path: Path) -> None:
    settings = rendering.one(rendering.render(), "ConfigMap")["data"]["config.yaml"]
    assert "modelNetworkPolicy" not in settings


def test_the_chart_leaves_the_models_policies_to_the_operator_where_it_makes_them() -> None:
    both = {**flows.VALUES, "networkPolicies.models.byOperator": True}
    found = rendering.of(rendering.render(**both), "NetworkPolicy")
    assert [policy["metadata"]["namespace"] for policy in found] == ["system"]


def documented(name: str) -> rendering.Object:
    """A policy that a page of the documentation shows, in a namespace of models."""
    policies = [d for _, d in pages.documents() if isinstance(d, dict) and d.get("kind") == "NetworkPolicy"]
    (found,) = [policy for policy in policies if policy["metadata"]["name"] == name]
    return {**found, "metadata": {**found["metadata"], "namespace": "vision"}}


def test_the_policy_against_reloading_that_the_docs_show_does_that(tmp_path: Path) -> None:
    asked: list[flows.Flow] = [
        ("a client predicts by REST", flows.client, flows.model, 8501, "TCP", True),
        ("a client elsewhere predicts by REST", flows.stranger, flows.model, 8501, "TCP", True),
        ("a chosen client uses gRPC", flows.Pod("vision", flows.GRPC_CLIENT), flows.model, 8500, "TCP", True),
        ("another does not", flows.client, flows.model, 8500, "TCP", False),
        (
            "nor does a namesake elsewhere",
            flows.Pod("web", flows.GRPC_CLIENT),
            flows.model,
            8500,
            "TCP",
            False,
        ),
    ]
    assert list(verdicts([documented("resnet-grpc")], asked, tmp_path)) == [flow[-1] for flow in asked]


def test_the_policy_for_unreachable_pods_that_the_docs_show_lets_the_operator_in(tmp_path: Path) -> None:
    deny = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": "vision"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    installed = flows.Pod("tfserving-system", flows.OPERATOR)
    asked: list[flows.Flow] = [
        ("the operator tests", installed, flows.model, 8501, "TCP", True),
        ("the operator does not use gRPC", installed, flows.model, 8500, "TCP", False),
        ("a client is denied as before", flows.client, flows.model, 8501, "TCP", False),
    ]
    without, remedied = tmp_path / "without", tmp_path / "with"
    for folder in (without, remedied):
        folder.mkdir()
    assert not any(verdicts([deny], asked, without))
    assert list(verdicts([deny, documented("smoke-tests")], asked, remedied)) == [f[-1] for f in asked]


def test_without_a_policy_everything_is_allowed_so_that_the_table_can_fail(tmp_path: Path) -> None:
    nothing = [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "none"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}]  # fmt: skip
    assert all(verdicts(nothing, flows.DEFAULT_FLOWS, tmp_path))


def test_there_are_enough_flows_of_both_kinds() -> None:
    asked = [flow for _, _, part in flows.TABLE for flow in part]
    assert len(flows.DEFAULT_FLOWS) >= 30
    assert len(flows.MADE_FLOWS) >= 30
    assert sum(flow[-1] for flow in asked) >= 15
    assert sum(not flow[-1] for flow in asked) >= 25


def test_there_is_no_policy_unless_it_is_asked_for() -> None:
    assert rendering.of(rendering.render(), "NetworkPolicy") == []


def test_no_rule_is_open_to_everybody_by_an_empty_list_of_peers() -> None:
    for _, values, _ in flows.TABLE:
        for policy in rendering.of(rendering.render(**values), "NetworkPolicy"):
            assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
            for rule in policy["spec"]["ingress"]:
                assert rule["from"], policy
            for rule in policy["spec"]["egress"]:
                is_api = [port["port"] for port in rule["ports"]] == [443, 6443]
                assert rule.get("to") or (is_api and "to" not in rule), policy


def test_a_namespace_that_comes_later_gets_its_policy_without_touching_the_operators() -> None:
    """As docs/security.md tells it, with no other values at hand."""
    documents = rendering.render(
        only="templates/networkpolicies-models.yaml",
        **{"networkPolicies.enabled": True, "networkPolicies.models.namespaces": ["lab"]},
    )
    assert [(one["kind"], one["metadata"]["namespace"]) for one in documents] == [("NetworkPolicy", "lab")]


def test_the_policies_select_what_the_operator_labels() -> None:
    """The pods' labels that the policies count on are those that the operator's and the models' pods carry."""
    objects = rendering.render(**flows.VALUES)
    pod = rendering.one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = {
        policy["metadata"]["namespace"]: policy["spec"]["podSelector"]["matchLabels"]
        for policy in rendering.of(objects, "NetworkPolicy")
    }
    assert selectors.pop("system").items() <= pod.items()
    models = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY}
    assert selectors == {"vision": models, "speech": models}
    assert pod[constants.LABEL_MANAGED_BY] != constants.MANAGED_BY  # the operator's pod is no model
