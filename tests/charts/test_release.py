"""Installed, upgraded, rolled back and uninstalled by the real helm on a real API server; there are no nodes."""

import pytest

from tests.charts import releasing, rendering
from tests.charts.releasing import RELEASE, SYSTEM, WEBHOOK
from tests.support import specs

pytestmark = pytest.mark.cluster

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modeldeployments.tfserving.dev"
AUTHORITY = "Y2VydGlmaWNhdGU="


def test_the_cluster_is_served_with_these_rights_and_no_others(installed: releasing.Installation) -> None:
    installed.upgrade()
    for namespace in ("vision", "speech"):
        assert installed.may("create", "apps", "deployments", namespace=namespace)
        assert installed.may("patch", "tfserving.dev", "modeldeployments/status", namespace=namespace)
        for verb, group, resource in (
            ("patch", "tfserving.dev", "modeldeployments"),
            ("get", "", "secrets"),
            ("list", "", "secrets"),
            ("create", "", "pods"),
            ("delete", "", "pods"),
            ("create", "", "pods/exec"),
            ("get", "", "pods/log"),
            ("delete", "", "services"),
            ("create", "", "serviceaccounts/token"),
            ("create", "rbac.authorization.k8s.io", "rolebindings"),
        ):
            assert not installed.may(verb, group, resource, namespace=namespace), (verb, resource)
    assert installed.may("list", "", "nodes")
    assert not installed.may("patch", "", "nodes")
    lease = {"namespace": SYSTEM, "name": "tfserving-operator"}
    assert installed.may("update", "coordination.k8s.io", "leases", **lease)
    assert not installed.may("update", "coordination.k8s.io", "leases", namespace=SYSTEM, name="another")


def test_chosen_namespaces_are_all_that_is_served(installed: releasing.Installation) -> None:
    installed.upgrade("watchNamespaces={vision}")
    assert installed.may("create", "apps", "deployments", namespace="vision")
    assert not installed.may("create", "apps", "deployments", namespace="speech")
    assert not installed.may("list", "", "pods", namespace="speech")
    assert not installed.may("list", "", "pods")
    assert not installed.may("list", "", "nodes")


def test_an_upgrade_and_a_rollback_leave_the_webhooks_certificate_alone(
    installed: releasing.Installation,
) -> None:
    installed.upgrade("webhook.enabled=true")
    (hook,) = installed.get(WEBHOOK)["webhooks"]
    hook["clientConfig"]["caBundle"] = AUTHORITY
    installed.as_operator(WEBHOOK, {"webhooks": [hook]})

    def seen() -> tuple[str, str, str]:
        (now,) = installed.get(WEBHOOK)["webhooks"]
        return now["failurePolicy"], now["clientConfig"].get("caBundle", ""), str(now["timeoutSeconds"])

    installed.upgrade("webhook.enabled=true", "webhook.failurePolicy=Fail", "webhook.timeoutSeconds=9")
    assert seen() == ("Fail", AUTHORITY, "9")
    installed.helm("rollback", RELEASE, "1")
    assert seen() == ("Ignore", AUTHORITY, "5")
    installed.upgrade()
    assert not installed.is_there(WEBHOOK)


def test_models_and_their_definition_outlive_the_release_and_are_taken_over_by_the_next(
    installed: releasing.Installation,
) -> None:
    installed.upgrade()
    where = "/apis/tfserving.dev/v1alpha1/namespaces/vision/modeldeployments"
    model = {
        "apiVersion": "tfserving.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "resnet"},
        "spec": specs.make_raw(),
    }
    uid = installed.api.request("POST", where, model)["metadata"]["uid"]
    installed.helm("uninstall", RELEASE)
    assert not installed.is_there(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{RELEASE}")
    assert installed.get(f"{where}/resnet")["metadata"]["uid"] == uid
    installed.upgrade("replicas=2")
    assert installed.get(f"{where}/resnet")["metadata"]["uid"] == uid
    assert installed.is_there(f"/apis/policy/v1/namespaces/{SYSTEM}/poddisruptionbudgets/{RELEASE}")


def test_an_upgrade_keeps_values_as_the_docs_tell_it(installed: releasing.Installation) -> None:
    installed.upgrade("replicas=2", "logFormat=console")
    installed.helm(
        "upgrade", RELEASE, str(rendering.CHART), "--reset-then-reuse-values", "--set", "replicas=3"
    )
    deployment = installed.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{RELEASE}")
    settings = installed.get(f"/api/v1/namespaces/{SYSTEM}/configmaps/{RELEASE}")
    assert deployment["spec"]["replicas"] == 3
    assert "logFormat: console" in settings["data"]["config.yaml"]


def test_everything_goes_where_that_is_asked_for(installed: releasing.Installation) -> None:
    installed.upgrade("crds.keep=false", "networkPolicies.enabled=true", "metrics.dashboard.enabled=true")
    policies = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies/{RELEASE}"
    assert installed.is_there(policies)
    installed.helm("uninstall", RELEASE, "--wait")
    assert not installed.is_there(policies)
    assert not installed.is_there(CRD)
