"""The manifests over a matrix of values, held to files; GOLDEN=write in the environment writes them instead."""

import difflib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.charts import rendering

pytestmark = pytest.mark.cluster

FOLDER = Path(__file__).parent / "golden"

WATCHED = {
    "metrics.serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
    "metrics.podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "1m"},
    "metrics.prometheusRule": {"enabled": True, "runbookBaseURL": "https://wiki.example.org/serving"},
}
MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "replicas": {
        "replicas": 2,
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
    },
    "namespaces": {"watchNamespaces": ["vision", "speech"]},
    "namespaces-hardened": {
        "watchNamespaces": ["vision"],
        "networkPolicies.enabled": True,
        "networkPolicies.operator.apiServerCIDRs": ["10.96.0.1/32", "192.0.2.10/32"],
        "networkPolicies.models.grpcFrom": [{"podSelector": {"matchLabels": {"may-use-grpc": "true"}}}],
        "policy.allowedImages": ["registry.example.org/serving/*"],
    },
    "network-policies": {
        "networkPolicies.enabled": True,
        "networkPolicies.operator.metricsFrom": [],
        "networkPolicies.models": {"namespaces": ["vision"], "restFrom": [], "grpcFrom": [], "egress": []},
    },
    "network-policies-by-operator": {
        "networkPolicies.enabled": True,
        "networkPolicies.models.byOperator": True,
        "networkPolicies.models.grpcFrom": [{"podSelector": {"matchLabels": {"may-use-grpc": "true"}}}],
        "policy.disruptionBudgets": False,
    },
    "watched": WATCHED,
    "pod-metrics": {"metrics.podMetrics": True},
    "alone": {"leaderElection": False, "logFormat": "console", "rbac.aggregateToDefaultRoles": False},
    "webhook": {"webhook.enabled": True, "webhook.failurePolicy": "Fail"},
    "webhook-cert-manager": {
        "webhook": {"enabled": True, "certManager": {"enabled": True}},
        "watchNamespaces": ["vision"],
    },
    "others-rights": {"rbac.create": False, "serviceAccount": {"create": False, "name": "given"}},
    "placed": {
        "fullnameOverride": "models-operator",
        "commonLabels": {"team": "ml"},
        "commonAnnotations": {"owner": "ml"},
        "podLabels": {"cost": "7"},
        "podAnnotations": {"note": "x"},
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"repository": "registry.example.org/op", "digest": f"sha256:{'a' * 64}"},
        "serviceAccount.annotations": {"example.org/role": "none"},
    },
}


@pytest.mark.parametrize("name", MATRIX)
def test_the_manifests_are_those_of_the_file(name: str) -> None:
    _, _, got = rendering.text(values=rendering.canonical(MATRIX[name])).partition("---\n")
    path = FOLDER / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(got)
    want = path.read_text()
    lines = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "rendered", lineterm="")
    assert got == want, "\n".join(lines)


@pytest.mark.parametrize("name", MATRIX)
def test_helm_finds_no_fault(name: str) -> None:
    flags = [part for k, v in MATRIX[name].items() for part in ("--set-json", f"{k}={json.dumps(v)}")]
    answer = rendering.helm("lint", "--strict", "--kube-version", "1.30.0", str(rendering.CHART), *flags)
    assert answer.returncode == 0, answer.stdout


def test_there_is_no_file_without_values() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(MATRIX)


@pytest.mark.parametrize("name", MATRIX)
def test_no_two_objects_are_the_same_one(name: str) -> None:
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in rendering.render(**MATRIX[name])
    ]
    assert len(names) == len(set(names))
