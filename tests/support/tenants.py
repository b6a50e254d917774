"""A user who holds the chart's role for ModelDeployments in one namespace, and what lies beyond it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import lab as labs
from tests.support import specs
from tfserving_operator.api import constants

HOME, ABROAD = "e2e-tenant", "e2e-abroad"
SECRET_WORD = "open-sesame"
FROM_SECRET = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "crown", "key": "k"}}}
SNEAKY: dict[str, Any] = {
    "server": {"env": [FROM_SECRET], "command": ["sh"]},
    "service": {"externalIPs": ["1.1.1.1"], "selector": {"app": "x"}},
    "smoke": {"casesFrom": [{"configMap": {"name": "crown", "key": "k", "namespace": ABROAD}}]},
    "template": {
        "metadata": {"namespace": ABROAD, "ownerReferences": []},
        "spec": {
            "hostNetwork": True,
            "hostPID": True,
            "hostIPC": True,
            "automountServiceAccountToken": True,
            "shareProcessNamespace": False,
            "volumes": [{"name": "x", "hostPath": {"path": "/"}}],
            "containers": [{"name": "x", "image": "x", "securityContext": {"privileged": True}}],
            "securityContext": {"runAsNonRoot": False, "privileged": True},
            "imagePullSecrets": [{"name": "crown", "namespace": ABROAD}],
        },
    },
}
"""Everything that the resource has no field for."""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """The tenant, with a token of a ServiceAccount."""

    lab: labs.Lab
    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl complains of, "" where it succeeds."""
        where = () if "-n" in arguments else ("-n", HOME)
        done = self.lab.in_network(
            "kubectl", "--kubeconfig", str(self.kubeconfig), *where, *arguments, input=stdin, check=False
        )
        return str(done.stderr) or "failed" if done.returncode else ""

    def model(self, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """A ModelDeployment that is well but for the changes."""
        made = self.lab.resource(HOME, 1)
        made["metadata"]["name"] = name
        made["spec"] = specs.merged(made["spec"], changes)
        return made

    def apply(self, model: Mapping[str, Any], *flags: str) -> str:
        """Apply one object."""
        return self.kubectl("apply", "--server-side", *flags, "-f", "-", stdin=json.dumps(model))

    def apply_all(self, models: Iterable[Mapping[str, Any]]) -> str:
        """Apply many."""
        stdin = "\n---\n".join(json.dumps(model) for model in models)
        return self.kubectl("apply", "--server-side", "-f", "-", stdin=stdin)

    def delete(self, name: str) -> str:
        """Delete a ModelDeployment."""
        return self.kubectl("delete", labs.RESOURCE, name, "--wait=true")

    # What the administrator sees

    def ours(self, kind: str, name: str = "") -> list[Any]:
        """The operator's objects of a kind at home."""
        labels = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY}
        return self._list(kind, labels | ({constants.LABEL_NAME: name} if name else {}))

    def pods(self, name: str) -> list[Any]:
        """The pods of a ModelDeployment."""
        return self.ours("pods", name)

    def by_labels(self, labels: Mapping[str, str]) -> list[Any]:
        """The pods that carry labels."""
        return self._list("pods", labels)

    def _list(self, kind: str, labels: Mapping[str, str]) -> list[Any]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        said = self.lab.access.kubectl("get", kind, "-n", HOME, "-l", selector, "-o", "json")
        return list(json.loads(said)["items"])

    def gist(self, kind: str, name: str) -> Any:
        """What a person has written into an object, and that it is the same one."""
        found = self.lab.get(kind.lower(), HOME, name)
        meta = found["metadata"]
        kept = {key: meta.get(key) for key in ("uid", "labels", "ownerReferences", "generation")}
        return [kept, found.get("spec"), found.get("data")]


def move_in(lab: labs.Lab) -> Tenant:
    """Make both namespaces, what is worth taking in the other one, and the tenant."""
    for namespace in (HOME, ABROAD):
        lab.make_namespace(namespace)
    crown = {"name": "crown", "namespace": ABROAD}
    account = {"name": "tenant", "namespace": HOME}
    lab.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": crown, "stringData": {"k": SECRET_WORD}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": crown, "data": {"k": SECRET_WORD}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": crown},
        *lab.volume(ABROAD, "crown", lab.known.folder),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**account, "name": "robot"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": account,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"{labs.RELEASE}-edit",
            },
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
    return Tenant(lab=lab, kubeconfig=lab.kubeconfig_of(HOME, "tenant"))


def foreign(kind: str, name: str) -> dict[str, Any]:
    """An object of somebody else that has a name which the operator needs."""
    pod = {
        "metadata": {"labels": {"app": "theirs"}},
        "spec": {
            "containers": [
                {
                    "name": "x",
                    "image": "theirs",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }
    selector = {"matchLabels": {"app": "theirs"}}
    forms: dict[str, tuple[str, dict[str, Any]]] = {
        "Service": ("v1", {"spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}}),
        "ConfigMap": ("v1", {"data": {"models.config": "theirs"}}),
        "Deployment": ("apps/v1", {"spec": {"replicas": 0, "selector": selector, "template": pod}}),
        "NetworkPolicy": ("networking.k8s.io/v1", {"spec": {"podSelector": selector, "ingress": [{}]}}),
        "PodDisruptionBudget": ("policy/v1", {"spec": {"maxUnavailable": 3, "selector": selector}}),
    }
    version, content = forms[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": HOME}, **content}


def assert_restricted(pod: Any) -> None:
    """A pod has nothing that Pod Security `restricted` forbids, whatever else the namespace enforces."""
    spec = pod["spec"]
    for part in ("hostNetwork", "hostPID", "hostIPC"):
        assert not spec.get(part), part
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= {"persistentVolumeClaim", "configMap", "emptyDir"}, volume
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {c["name"] for c in spec["containers"]} == {constants.CONTAINER_SERVER}
    for container in (*spec["containers"], *spec["initContainers"]):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not security.get("privileged")
        for variable in container.get("env", []):
            assert set(variable.get("valueFrom", {})) <= {"resourceFieldRef"}, variable
