"""The chart, rendered by the real helm."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cluster import api as clusters
from tfserving_operator import config
from tfserving_operator.api import crd

pytestmark = pytest.mark.cluster

CHART = Path(__file__).parents[2] / "charts" / "tfserving-operator"


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(clusters.ensure_helm()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _render(*sets: str) -> list[dict[str, Any]]:
    flags = [part for each in sets for part in ("--set", each)]
    answer = _helm("template", "tfserving-operator", str(CHART), "-n", "system", *flags)
    assert answer.returncode == 0, answer.stderr
    return [document for document in yaml.safe_load_all(answer.stdout) if document]


def _of(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


def test_it_lints() -> None:
    answer = _helm("lint", "--strict", str(CHART))
    assert answer.returncode == 0, answer.stdout


def test_it_gives_no_wildcards_no_secrets_and_no_writes_to_pods_or_specs() -> None:
    roles = [
        r
        for kind in ("ClusterRole", "Role")
        for r in _of(_render("rbac.aggregateToDefaultRoles=false"), kind)
    ]
    granted = {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted
    assert not any("*" in part for grant in granted for part in grant)
    resources = {resource for _, resource, _ in granted}
    assert "secrets" not in resources
    reads = {"get", "list", "watch"}
    for resource in ("pods", "replicasets", "persistentvolumeclaims", "modeldeployments"):
        assert {verb for _, of, verb in granted if of == resource} <= reads


def test_the_operators_settings_are_those_that_the_operator_reads(tmp_path: Path) -> None:
    (settings,) = _of(
        _render("watchNamespaces={a,b}", "image.tag=1.2.3", "policy.allowedImages={x/*}"), "ConfigMap"
    )
    path = tmp_path / "config.yaml"
    path.write_text(settings["data"]["config.yaml"])
    read = config.Config.load(path, overrides={}, environ={})
    assert read.inspect_image == "tfserving-operator:1.2.3"
    assert read.watch_namespaces == ("a", "b")
    assert read.allowed_images == ("x/*",)
    assert (read.allowed_service_accounts, read.drain_seconds, read.leader_election) == (
        ("default",),
        5,
        True,
    )


def test_chosen_namespaces_get_their_own_bindings_and_the_cluster_none() -> None:
    everywhere, chosen = _render(), _render("watchNamespaces={a,b}")
    assert len(_of(everywhere, "ClusterRoleBinding")) == 1
    assert _of(chosen, "ClusterRoleBinding") == []
    assert [b["metadata"]["namespace"] for b in _of(chosen, "RoleBinding")] == ["a", "b", "system"]


@pytest.mark.parametrize(
    ("sets", "want"),
    [
        ((), {"helm.sh/resource-policy": "keep"}),
        (("crds.keep=false",), None),
    ],
)
def test_the_crd_is_the_generated_one_and_is_kept_where_asked_for(
    sets: tuple[str, ...], want: dict[str, str] | None
) -> None:
    (definition,) = _of(_render(*sets), "CustomResourceDefinition")
    assert definition["metadata"].pop("annotations", None) == want
    assert definition == crd.build_crd()


def test_the_crd_can_be_left_to_others() -> None:
    assert _of(_render("crds.install=false"), "CustomResourceDefinition") == []


def test_the_operator_runs_restricted_with_a_read_only_root() -> None:
    (deployment,) = _of(_render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [*container["command"], *container["args"]] == [
        "tfserving-operator", "run", "--config", "/etc/tfserving-operator/config.yaml",
    ]  # fmt: skip


def test_a_changed_setting_starts_the_operator_anew() -> None:
    def checksum(*sets: str) -> str:
        (deployment,) = _of(_render(*sets), "Deployment")
        text: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum() == checksum("replicas=2") != checksum("policy.drainSeconds=7")


@pytest.mark.parametrize(
    "wrong", ["replicas=x", "logFormat=xml", "policy.allowedServiceTypes={External}", "polcy.drainSeconds=5"]
)
def test_wrong_values_are_refused(wrong: str) -> None:
    answer = _helm("template", "x", str(CHART), "--set", wrong)
    assert answer.returncode != 0
    assert "values don't meet the specifications of the schema" in answer.stderr
