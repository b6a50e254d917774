"""Installed, upgraded, rolled back and uninstalled by the real helm on a real API server; there are no nodes."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local.cluster import api as clusters
from tests.charts import rendering
from tests.support import control_plane, specs

pytestmark = pytest.mark.cluster

RELEASE, SYSTEM = "tfserving-operator", "tfserving-system"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modeldeployments.tfserving.dev"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/tfserving-operator-webhook"
AUTHORITY = "Y2VydGlmaWNhdGU="


@dataclass
class Installation:
    """Helm and an API server."""

    api: control_plane.ControlPlane
    folder: Path

    def helm(self, *arguments: str) -> str:
        kinds = ("CACHE", "CONFIG", "DATA")
        done = subprocess.run(
            [str(clusters.ensure_helm()), "--kubeconfig", str(self.api.kubeconfig), "-n", SYSTEM, *arguments],
            env=os.environ | {f"HELM_{kind}_HOME": str(self.folder / kind) for kind in kinds},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *sets: str) -> None:
        """Install, or upgrade, with these values alone."""
        flags = [part for each in sets for part in ("--set", each)]
        how = ("--install", "--create-namespace", "--reset-values")
        self.helm("upgrade", *how, RELEASE, str(rendering.CHART), *flags)

    def get(self, path: str) -> Any:
        return self.api.request("GET", path)

    def is_there(self, path: str) -> bool:
        answer = self.api.session.get(self.api.account.server + path, timeout=30)
        assert answer.status_code in {200, 404}, answer.text
        return answer.ok

    def may(self, verb: str, group: str, resource: str, *, namespace: str = "", name: str = "") -> bool:
        """Whether the operator's account has a right, by the API server's own word."""
        kind, _, subresource = resource.partition("/")
        asked = {
            "user": f"system:serviceaccount:{SYSTEM}:{RELEASE}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": kind,
                "subresource": subresource,
                "namespace": namespace,
                "name": name,
            },
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
        answer = self.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def as_operator(self, path: str, body: Any) -> None:
        """A merge patch with a token of the operator's account, and so with its rights."""
        tokens = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{RELEASE}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.api.request("POST", tokens, request)["status"]["token"]
        answer = requests.patch(
            self.api.account.server + path,
            params={"fieldManager": RELEASE},
            json=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"},
            verify=str(self.api.session.verify),
            timeout=30,
        )
        assert answer.ok, answer.text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    with control_plane.running(tmp_path_factory.mktemp("api")) as running:
        for name in ("vision", "speech"):
            running.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield running


@pytest.fixture
def installed(server: control_plane.ControlPlane, tmp_path: Path) -> Iterator[Installation]:
    yield (made := Installation(api=server, folder=tmp_path))
    made.helm("uninstall", RELEASE, "--ignore-not-found")


def test_the_cluster_is_served_with_these_rights_and_no_others(installed: Installation) -> None:
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


def test_chosen_namespaces_are_all_that_is_served(installed: Installation) -> None:
    installed.upgrade("watchNamespaces={vision}")
    assert installed.may("create", "apps", "deployments", namespace="vision")
    assert not installed.may("create", "apps", "deployments", namespace="speech")
    assert not installed.may("list", "", "pods", namespace="speech")
    assert not installed.may("list", "", "pods")
    assert not installed.may("list", "", "nodes")


def test_an_upgrade_and_a_rollback_leave_the_webhooks_certificate_alone(installed: Installation) -> None:
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
    installed: Installation,
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


def test_an_upgrade_keeps_values_as_the_docs_tell_it(installed: Installation) -> None:
    installed.upgrade("replicas=2", "logFormat=console")
    installed.helm(
        "upgrade", RELEASE, str(rendering.CHART), "--reset-then-reuse-values", "--set", "replicas=3"
    )
    deployment = installed.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{RELEASE}")
    settings = installed.get(f"/api/v1/namespaces/{SYSTEM}/configmaps/{RELEASE}")
    assert deployment["spec"]["replicas"] == 3
    assert "logFormat: console" in settings["data"]["config.yaml"]


def test_everything_goes_where_that_is_asked_for(installed: Installation) -> None:
    installed.upgrade("crds.keep=false", "networkPolicies.enabled=true", "metrics.dashboard.enabled=true")
    policies = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies/{RELEASE}"
    assert installed.is_there(policies)
    installed.helm("uninstall", RELEASE, "--wait")
    assert not installed.is_there(policies)
    assert not installed.is_there(CRD)
