"""Helm on a real API server that has no nodes."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from local.cluster import api as clusters
from tests.charts import rendering
from tests.support import control_plane

RELEASE, SYSTEM = "tfserving-operator", "tfserving-system"
WEBHOOK = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{RELEASE}-webhook"


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

    def token(self) -> str:
        """A token of the operator's account."""
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{RELEASE}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.api.request("POST", path, request)["status"]["token"])

    def as_operator(self, path: str, body: Any) -> None:
        """A merge patch with a token of the operator's account, and so with its rights."""
        token = self.token()
        answer = requests.patch(
            self.api.account.server + path,
            params={"fieldManager": RELEASE},
            json=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"},
            verify=str(self.api.session.verify),
            timeout=30,
        )
        assert answer.ok, answer.text
