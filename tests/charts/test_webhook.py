"""The optional webhook: who is asked, who makes its certificate, and what that costs in rights."""

from pathlib import Path

import pytest

from tests.charts import rendering
from tests.charts.test_rights import grants
from tests.charts.test_values import settings
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.handlers import webhook
from tfserving_operator.reconcile import certificates

pytestmark = pytest.mark.cluster

ON = "webhook.enabled=true"
BY_CERT_MANAGER = "webhook.certManager.enabled=true"
CONFIGURATION = "ValidatingWebhookConfiguration"


def test_it_is_off_and_costs_no_right_until_it_is_asked_for() -> None:
    documents = rendering.render()
    assert rendering.of(documents, CONFIGURATION) == []
    assert "secrets" not in {resource for _, _, resource, _, _ in grants(documents)}


def test_it_is_asked_about_modeldeployments_outside_of_the_systems_namespaces() -> None:
    (hook,) = rendering.one(rendering.render(ON), CONFIGURATION)["webhooks"]
    assert hook["failurePolicy"] == "Ignore"
    assert hook["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "system"]}
    ]
    assert [(r["operations"], r["resources"]) for r in hook["rules"]] == [
        (["CREATE", "UPDATE"], ["modeldeployments"])
    ]
    # What it means is shown on a real API server, in tests/admission
    assert [condition["name"] for condition in hook["matchConditions"]] == ["spec-changes"]
    assert hook["clientConfig"]["service"]["path"] == webhook.PATH
    (strict,) = rendering.one(rendering.render(ON, "webhook.failurePolicy=Fail"), CONFIGURATION)["webhooks"]
    assert strict["failurePolicy"] == "Fail"


def test_the_service_that_is_asked_leads_to_the_port_that_the_operator_opens(tmp_path: Path) -> None:
    documents = rendering.render(ON)
    (hook,) = rendering.one(documents, CONFIGURATION)["webhooks"]
    service = rendering.one(documents, "Service")
    asked = hook["clientConfig"]["service"]
    assert (asked["name"], asked["namespace"]) == (
        service["metadata"]["name"],
        service["metadata"]["namespace"],
    )
    (port,) = service["spec"]["ports"]
    assert port["port"] == asked["port"]
    ports = {
        p["name"]: p["containerPort"] for p in rendering.pod_of(documents)["spec"]["containers"][0]["ports"]
    }
    assert settings(tmp_path, ON).webhook_port == ports[port["targetPort"]]


def test_the_operator_may_keep_its_own_certificate_and_nothing_more(tmp_path: Path) -> None:
    documents = rendering.render(ON)
    read = settings(tmp_path, ON).model_copy(update={"pod_namespace": "system"})
    keeper = webhook.build_certificate(
        read,
        client=None,
        clock=clocks.SystemClock(),
        context=webhook.build_context(),  # type: ignore[arg-type]
    )
    assert isinstance(keeper, certificates.Keeper)
    place = keeper._place
    assert place.configuration == rendering.one(documents, CONFIGURATION)["metadata"]["name"]
    kept = {
        grant for grant in grants(documents) if grant[2] in {"secrets", "validatingwebhookconfigurations"}
    }
    assert kept == {
        ("system", "", "secrets", "", "create"),
        ("system", "", "secrets", place.secret, "get"),
        ("system", "", "secrets", place.secret, "update"),
        ("", "admissionregistration.k8s.io", "validatingwebhookconfigurations", place.configuration, "get"),
        ("", "admissionregistration.k8s.io", "validatingwebhookconfigurations", place.configuration, "patch"),
    }
    (hook,) = rendering.one(documents, CONFIGURATION)["webhooks"]
    service = hook["clientConfig"]["service"]
    assert f"{service['name']}.{service['namespace']}.svc" in place.names


def test_cert_managers_certificate_costs_no_right_and_is_where_the_operator_looks(tmp_path: Path) -> None:
    documents = rendering.render(ON, BY_CERT_MANAGER)
    assert grants(documents) == grants(rendering.render())
    certificate = rendering.one(documents, "Certificate")
    made, where = certificate["metadata"]["name"], certificate["metadata"]["namespace"]
    annotations = rendering.one(documents, CONFIGURATION)["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": f"{where}/{made}"}
    assert certificate["spec"]["issuerRef"]["name"] == rendering.one(documents, "Issuer")["metadata"]["name"]
    pod = rendering.pod_of(documents)["spec"]
    (volume,) = [v for v in pod["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == volume["name"]]
    assert mount["mountPath"] == settings(tmp_path, ON, BY_CERT_MANAGER).webhook_cert_dir


def test_an_issuer_of_the_installation_is_used() -> None:
    reference = {"kind": "ClusterIssuer", "name": "internal"}
    documents = rendering.render(ON, BY_CERT_MANAGER, **{"webhook.certManager.issuerRef": reference})
    assert rendering.of(documents, "Issuer") == []
    assert rendering.one(documents, "Certificate")["spec"]["issuerRef"] == reference


def test_with_chosen_namespaces_it_takes_cert_manager_and_asks_about_those_only() -> None:
    assert "set webhook.certManager.enabled" in rendering.refusal(ON, "watchNamespaces={a}")
    documents = rendering.render(ON, BY_CERT_MANAGER, "watchNamespaces={a}")
    assert rendering.of(documents, "ClusterRole") == []
    (hook,) = rendering.one(documents, CONFIGURATION)["webhooks"]
    assert {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a"]} in (
        hook["namespaceSelector"]["matchExpressions"]
    )
