"""A tenant who may edit ModelDeployments in one namespace, and nothing else, tries to get further.

There is no webhook here: what the API server lets pass, the operator refuses in its reconciliation.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support import tenants
from tfserving_operator.api import constants, types
from tfserving_operator.core import revisions

pytestmark = pytest.mark.e2e

HOME, ABROAD = tenants.HOME, tenants.ABROAD


@pytest.fixture(scope="module")
def tenant(lab: labs.Lab) -> Iterator[tenants.Tenant]:
    """The tenant, an operator with a narrow policy, and a model of somebody else that serves."""
    lab.stop()
    lab.install(lab.operator_image, "networkPolicies.models.byOperator=true")
    lab.settings = {
        "allowedImages": [lab.server_image],
        "modelNetworkPolicy": {"restFrom": [{"podSelector": {}}]},
    }
    lab.start()
    try:
        made = tenants.move_in(lab)
        lab.apply(lab.resource(HOME, 1))
        lab.wait_condition(HOME, "Ready", "RevisionReady")
        yield made
    finally:
        lab.stop()
        lab.settings = {}
        lab.install(lab.operator_image)
        lab.start()


def template(**spec: Any) -> dict[str, Any]:
    return {"template": {"spec": spec}}


def labelled(part: str, key: str, value: str) -> dict[str, Any]:
    return {"template": {"metadata": {part: {key: value}}}}


BY_THE_API: list[tuple[str, dict[str, Any], str]] = [
    ("the node's network", template(hostNetwork=True), "hostNetwork"),
    ("the node's processes", template(hostPID=True), "hostPID"),
    ("a chosen node", template(nodeName="node"), "nodeName"),
    ("a folder of the node", template(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), "volumes"),
    ("a container of its own", template(containers=[{"name": "x", "image": "x"}]), "containers"),
    ("privileges", template(securityContext={"privileged": True}), "privileged"),
    ("to run as root", template(securityContext={"runAsUser": 0}), "runAsUser"),
    ("to be allowed root", template(securityContext={"runAsNonRoot": False}), "runAsNonRoot"),
    (
        "no seccomp",
        template(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        "seccompProfile.type",
    ),
    ("sysctls", template(securityContext={"sysctls": [{"name": "a", "value": "b"}]}), "sysctls"),
    ("the token of an account abroad", template(serviceAccountName=f"{ABROAD}/crown"), "serviceAccountName"),
    (
        "pull secrets from abroad",
        template(imagePullSecrets=[{"name": f"{ABROAD}/crown"}]),
        "imagePullSecrets",
    ),
    (
        "pull secrets by namespace",
        template(imagePullSecrets=[{"name": "a", "namespace": ABROAD}]),
        "namespace",
    ),
    ("a secret as environment", {"server": {"env": [tenants.FROM_SECRET]}}, "valueFrom"),
    ("a command", {"server": {"command": ["sh"]}}, "command"),
    ("a folder of the node as source", {"model": {"uri": "file:///etc"}}, "not a source"),
    (
        "a way out of the claim",
        {"model": {"uri": "pvc://digit-models/../../etc"}},
        "may not hold . or .. parts",
    ),
    (
        "cases from abroad",
        {"smoke": {"casesFrom": [{"configMap": {"name": f"{ABROAD}/crown", "key": "k"}}]}},
        "casesFrom",
    ),
    (
        "cases by namespace",
        {"smoke": {"casesFrom": [{"configMap": {"name": "crown", "key": "k", "namespace": ABROAD}}]}},
        "namespace",
    ),
    ("cases from a Secret", {"smoke": {"casesFrom": [{"secret": {"name": "crown"}}]}}, "secret"),
    ("addresses for the Service", {"service": {"externalIPs": ["1.1.1.1"]}}, "externalIPs"),
    ("another selector for the Service", {"service": {"selector": {"app": "x"}}}, "selector"),
]

BY_THE_OPERATOR: list[tuple[str, dict[str, Any], str, str]] = [
    ("image", {"server": {"image": "evil.example.org/x:1"}}, "PolicyViolation", "evil.example.org/x:1"),
    ("account", template(serviceAccountName="robot"), "PolicyViolation", "robot is not allowed"),
    (
        "priority",
        template(priorityClassName="system-node-critical"),
        "PolicyViolation",
        "system-node-critical is not allowed",
    ),
    (
        "runtime",
        template(runtimeClassName="unconfined"),
        "PolicyViolation",
        "unconfined is not allowed",
    ),
    ("node-port", {"service": {"type": "NodePort"}}, "PolicyViolation", "allowed are ClusterIP"),
    ("balancer", {"service": {"type": "LoadBalancer"}}, "PolicyViolation", "LoadBalancer is not allowed"),
    (
        "annotation",
        {"service": {"annotations": {"external-dns.example.org/hostname": "bank"}}},
        "PolicyViolation",
        "external-dns.example.org/hostname is not allowed",
    ),
    (
        "capture-name",
        labelled("labels", constants.LABEL_NAME, labs.NAME),
        "InvalidSpec",
        f"{constants.LABEL_NAME} is the operator's own",
    ),
    (
        "capture-revision",
        labelled("labels", constants.LABEL_REVISION, "digits-a1"),
        "InvalidSpec",
        f"{constants.LABEL_REVISION} is the operator's own",
    ),
    (
        "manager",
        labelled("labels", constants.LABEL_MANAGED_BY, "me"),
        "InvalidSpec",
        f"{constants.LABEL_MANAGED_BY} is the operator's own",
    ),
    (
        "apparmor",
        labelled("annotations", "container.apparmor.security.beta.kubernetes.io/server", "unconfined"),
        "InvalidSpec",
        "loosen the pods' confinement",
    ),
    ("listen", {"server": {"flags": {"port": "22"}}}, "InvalidSpec", "spec.server.flags.port"),
    (
        "load",
        {"server": {"flags": {"model_config_file": "/proc/self/environ"}}},
        "InvalidSpec",
        "model_config_file",
    ),
]


@pytest.mark.parametrize(("title", "changes", "word"), BY_THE_API, ids=[a[0] for a in BY_THE_API])
def test_the_api_server_takes_no_such_field(
    tenant: tenants.Tenant, title: str, changes: dict[str, Any], word: str
):
    said = tenant.apply(tenant.model("refused", changes), "--dry-run=server")
    assert word in said, said


def test_what_the_policy_does_not_allow_is_named_and_starts_nothing(tenant: tenants.Tenant):
    models = [tenant.model(title, changes) for title, changes, _, _ in BY_THE_OPERATOR]
    assert tenant.apply_all(models) == ""
    for title, _, reason, words in BY_THE_OPERATOR:
        stalled = tenant.lab.wait_condition(HOME, "Stalled", reason, name=title)
        assert words in stalled["message"]
    for kind in ("deployments", "pods", "services", "configmaps", "networkpolicies"):
        owned = {each["metadata"]["labels"][constants.LABEL_NAME] for each in tenant.ours(kind)}
        assert owned == {labs.NAME}, kind


def test_what_an_old_client_sends_unchecked_makes_a_restricted_pod_at_home(tenant: tenants.Tenant):
    """Unknown fields are pruned where the client asks for no check; every attempt at once, and a real pod."""
    sneaky = tenant.model("sneaky", tenants.SNEAKY)
    assert tenant.kubectl("create", "--validate=ignore", "-f", "-", stdin=json.dumps(sneaky)) == ""
    told = tenant.lab.wait_condition(HOME, "SmokeTestPassed", "CasesMissing", name="sneaky")
    assert "crown" in told["message"]
    (pod,) = tenant.pods("sneaky")
    tenants.assert_restricted(pod)
    assert pod["metadata"]["namespace"] == HOME
    assert pod["spec"].get("serviceAccountName", "default") == "default"
    assert tenants.SECRET_WORD not in json.dumps(pod)
    assert pod["status"]["phase"] == "Running"
    assert tenant.delete("sneaky") == ""


def test_a_claim_is_looked_for_at_home_only(tenant: tenants.Tenant):
    assert tenant.apply(tenant.model("claimant", {"model": {"uri": "pvc://crown/digits"}})) == ""
    ready = tenant.lab.wait_condition(HOME, "Ready", "ClaimMissing", name="claimant")
    assert f"crown is not in namespace {HOME}" in ready["message"]
    assert tenant.pods("claimant") == []


def test_the_service_of_another_model_selects_its_own_pods_only(tenant: tenants.Tenant):
    selector = tenant.lab.get("service", HOME)["spec"]["selector"]
    selected = tenant.by_labels(selector)
    assert {pod["metadata"]["labels"][constants.LABEL_NAME] for pod in selected} == {labs.NAME}
    (policy,) = tenant.ours("networkpolicies", labs.NAME)
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": 8501, "protocol": "TCP"}]


def test_a_network_policy_opened_by_hand_is_closed_again(tenant: tenants.Tenant):
    before = tenant.gist("NetworkPolicy", labs.NAME)
    opened = json.dumps({"spec": {"ingress": [{}], "egress": [{}]}})
    tenant.lab.access.kubectl("patch", "networkpolicy", labs.NAME, "-n", HOME, "--type=merge", "-p", opened)
    labs.wait_for("the policy", lambda: tenant.gist("NetworkPolicy", labs.NAME)[1:] == before[1:])


@pytest.mark.parametrize("kind", ["Service", "NetworkPolicy", "ConfigMap", "Deployment"])
def test_an_object_that_has_the_name_already_is_left_alone(tenant: tenants.Tenant, kind: str):
    model = tenant.model(f"taken-{kind.lower()}", {})
    name = model["metadata"]["name"]
    if kind in {"ConfigMap", "Deployment"}:
        name = revisions.name_of(name, types.parse_spec(model["spec"]))
    theirs = tenants.foreign(kind, name)
    tenant.lab.apply(theirs)
    before = tenant.gist(kind, name)
    assert tenant.apply(model) == ""
    stalled = tenant.lab.wait_condition(HOME, "Stalled", "NameTaken", name=model["metadata"]["name"])
    assert f"{kind} {name} is there and is not ours" in stalled["message"]
    assert tenant.delete(model["metadata"]["name"]) == ""
    assert tenant.gist(kind, name) == before
    assert tenant.pods(model["metadata"]["name"]) == []


def test_a_budget_that_has_the_name_already_is_left_alone_and_the_model_serves(tenant: tenants.Tenant):
    tenant.lab.apply(tenants.foreign("PodDisruptionBudget", labs.NAME))
    before = tenant.gist("PodDisruptionBudget", labs.NAME)
    body = json.dumps({"spec": {"disruption": {"maxUnavailable": 1}}})
    assert tenant.kubectl("patch", labs.RESOURCE, labs.NAME, "--type=merge", "-p", body) == ""
    tenant.lab.wait_condition(HOME, "Stalled", "NameTaken")
    assert tenant.lab.condition(HOME, "Available")["status"] == "True"
    assert tenant.gist("PodDisruptionBudget", labs.NAME) == before


def test_the_tenants_own_rights_go_no_further(tenant: tenants.Tenant):
    forged = json.dumps({"status": {"phase": "Ready"}})
    assert "forbidden" in tenant.kubectl(
        "patch", labs.RESOURCE, labs.NAME, "--subresource=status", "--type=merge", "-p", forged
    )
    for kind in ("secrets", "configmaps", "pods", "deployments", "serviceaccounts"):
        assert "forbidden" in tenant.kubectl("get", kind), kind
    assert "forbidden" in tenant.kubectl("get", labs.RESOURCE, "-n", ABROAD)
