"""The chart, rendered by the real helm."""

from pathlib import Path
from typing import Any

import pytest

from tests.charts import rendering
from tfserving_operator.api import crd
from tfserving_operator.reconcile import leadership

pytestmark = pytest.mark.cluster

EVERYTHING: dict[str, Any] = {
    "replicas": 3,
    "networkPolicies.enabled": True,
    "networkPolicies.models.namespaces": ["vision"],
    "metrics.serviceMonitor.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.dashboard.enabled": True,
}

Grant = tuple[str, str, str, str, str]
"""Namespace ("" for the cluster), group, resource, name ("" for all), verb."""


def grants(documents: list[rendering.Object]) -> set[Grant]:
    """What the roles that are bound to the operator give it."""
    roles = {
        (r["kind"], r["metadata"].get("namespace", ""), r["metadata"]["name"]): r
        for kind in ("ClusterRole", "Role")
        for r in rendering.of(documents, kind)
    }
    account = rendering.one(documents, "ServiceAccount")["metadata"]["name"]
    found = set()
    for binding in (
        *rendering.of(documents, "ClusterRoleBinding"),
        *rendering.of(documents, "RoleBinding"),
    ):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "system"}]
        where = binding["metadata"].get("namespace", "")
        ref = binding["roleRef"]
        role = roles[ref["kind"], where if ref["kind"] == "Role" else "", ref["name"]]
        found |= {
            (where, group, resource, name, verb)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        }
    return found


def pod_of(documents: list[rendering.Object]) -> dict[str, Any]:
    template: dict[str, Any] = rendering.one(documents, "Deployment")["spec"]["template"]
    return template


def test_it_lints() -> None:
    answer = rendering.helm("lint", "--strict", str(rendering.CHART))
    assert answer.returncode == 0, answer.stdout


# Rights


@pytest.mark.parametrize("sets", [(), ("watchNamespaces={a,b}",)])
def test_it_gives_no_wildcards_no_secrets_and_no_writes_to_pods_or_specs(sets: tuple[str, ...]) -> None:
    granted = grants(rendering.render(*sets))
    assert granted
    assert not any("*" in part for grant in granted for part in grant)
    resources = {resource for _, _, resource, _, _ in granted}
    assert not resources & {"secrets", "pods/exec", "pods/log", "serviceaccounts", "namespaces"}
    assert not {r for r in resources if "role" in r or "webhook" in r}
    reads = {"get", "list", "watch"}
    for resource in ("pods", "replicasets", "persistentvolumeclaims", "modeldeployments", "nodes"):
        assert {verb for _, _, of, _, verb in granted if of == resource} <= reads
    assert not {verb for *_, verb in granted} & {"escalate", "bind", "impersonate", "deletecollection"}


def test_chosen_namespaces_get_roles_and_the_cluster_nothing_at_all() -> None:
    chosen = rendering.render("watchNamespaces={a,b}")
    assert rendering.of(chosen, "ClusterRole") == rendering.of(chosen, "ClusterRoleBinding") == []
    granted = grants(chosen)
    assert {where for where, *_ in granted} == {"a", "b", "system"}
    assert "nodes" not in {resource for _, _, resource, _, _ in granted}


def test_a_chosen_namespace_gets_what_the_cluster_would_but_for_nodes() -> None:
    everywhere = {tuple(rest) for where, *rest in grants(rendering.render()) if not where}
    chosen = {tuple(rest) for where, *rest in grants(rendering.render("watchNamespaces={a}")) if where == "a"}
    assert {grant for grant in everywhere if grant[1] != "nodes"} == chosen
    assert {grant[1] for grant in everywhere - chosen} == {"nodes"}


def test_the_operator_may_do_nothing_in_its_own_namespace_but_lead() -> None:
    everything = grants(rendering.render("watchNamespaces={a}"))
    granted = {tuple(rest) for where, *rest in everything if where == "system"}
    group, lease = "coordination.k8s.io", leadership.LEASE_NAME
    assert granted == {
        (group, "leases", "", "create"),
        (group, "leases", lease, "get"),
        (group, "leases", lease, "update"),
    }


def test_everything_that_is_in_a_namespace_says_in_which() -> None:
    for one in rendering.render("watchNamespaces={a}", **EVERYTHING):
        is_global = one["kind"] in {"ClusterRole", "ClusterRoleBinding"}
        assert ("namespace" in one["metadata"]) is not is_global, one["kind"]


@pytest.mark.parametrize(
    ("sets", "are_there"),
    [
        ((), True),
        (("rbac.aggregateToDefaultRoles=false",), False),
        (("watchNamespaces={a}",), False),
        (("watchNamespaces={a}", "rbac.aggregateToDefaultRoles=true"), True),
    ],
)
def test_the_default_roles_include_modeldeployments_where_the_cluster_is_served(
    sets: tuple[str, ...], are_there: bool
) -> None:
    labels = [r["metadata"]["labels"] for r in rendering.of(rendering.render(*sets), "ClusterRole")]
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    found = {key.removeprefix(prefix) for each in labels for key in each if key.startswith(prefix)}
    assert found == ({"view", "edit", "admin"} if are_there else set())


def test_users_get_no_right_to_write_a_status() -> None:
    for role in rendering.of(rendering.render(), "ClusterRole"):
        if role["metadata"]["name"].endswith(("-view", "-edit")):
            for rule in role["rules"]:
                if "modeldeployments/status" in rule["resources"]:
                    assert set(rule["verbs"]) == {"get", "list", "watch"}


def test_rights_can_be_left_to_others() -> None:
    documents = rendering.render(
        "rbac.create=false", "serviceAccount.create=false", "serviceAccount.name=mine"
    )
    kinds = {document["kind"] for document in documents}
    assert not kinds & {"Role", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"}
    assert pod_of(documents)["spec"]["serviceAccountName"] == "mine"


# The resource definition


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
    definition = rendering.one(rendering.render(*sets, crd=True), "CustomResourceDefinition")
    assert definition["metadata"].get("annotations") == want
    bare = {**definition, "metadata": {k: v for k, v in definition["metadata"].items() if k != "annotations"}}
    assert bare == crd.build_crd()


def test_the_crd_can_be_left_to_others() -> None:
    assert rendering.of(rendering.render("crds.install=false"), "CustomResourceDefinition") == []


# The operator's pod


def test_the_operator_runs_restricted_with_a_read_only_root() -> None:
    pod = pod_of(rendering.render())["spec"]
    (container,) = pod["containers"]
    assert "initContainers" not in pod
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert {tuple(volume.keys() - {"name"}) for volume in pod["volumes"]} == {("configMap",), ("emptyDir",)}
    assert "hostPort" not in str(container["ports"])
    assert [*container["command"], *container["args"]] == [
        "tfserving-operator", "run", "--config", "/etc/tfserving-operator/config.yaml",
    ]  # fmt: skip


def test_a_changed_setting_starts_the_operator_anew() -> None:
    def checksum(*sets: str) -> str:
        text: str = pod_of(rendering.render(*sets))["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum() == checksum("replicas=2") != checksum("policy.drainSeconds=7")


def test_what_clusters_ask_of_pods_is_passed_on() -> None:
    wishes = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets": [{"name": "registry"}],
    }
    documents = rendering.render(
        resources={"limits": {"memory": "1Gi", "cpu": None}}, **wishes
    )  # None: takes a default away
    pod = pod_of(documents)["spec"]
    assert {key: pod[key] for key in wishes} == wishes
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi", "cpu": None}


def test_a_spread_without_a_selector_gets_that_of_the_operators_pods() -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    own = {"matchLabels": {"app": "x"}}
    documents = rendering.render(topologySpreadConstraints=[constraint, {**constraint, "labelSelector": own}])
    selector = rendering.one(documents, "Deployment")["spec"]["selector"]
    assert pod_of(documents)["spec"]["topologySpreadConstraints"] == [
        {**constraint, "labelSelector": selector},
        {**constraint, "labelSelector": own},
    ]


def test_labels_and_annotations_of_the_installation_are_on_everything_and_replace_nothing_of_ours() -> None:
    documents = rendering.render(
        commonLabels={"team": "ml", "app.kubernetes.io/name": "stolen"},
        commonAnnotations={"owner": "ml"},
        podLabels={"cost": "7", "app.kubernetes.io/instance": "stolen"},
        podAnnotations={"note": "x", "owner": "pods"},
        **EVERYTHING,
    )
    pod = pod_of(documents)["metadata"]
    for one in documents:
        assert one["metadata"]["labels"]["team"] == "ml", one["kind"]
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "tfserving-operator"
        assert one["metadata"]["annotations"]["owner"] == "ml", one["kind"]
    assert (pod["labels"]["team"], pod["labels"]["cost"]) == ("ml", "7")
    assert (pod["annotations"]["note"], pod["annotations"]["owner"]) == ("x", "pods")
    selector = rendering.one(documents, "Deployment")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod["labels"].items()


def test_the_image_is_named_by_tag_or_by_digest() -> None:
    digest = f"sha256:{'a' * 64}"

    def image(*sets: str) -> str:
        named: str = pod_of(rendering.render(*sets))["spec"]["containers"][0]["image"]
        return named

    assert image() == "tfserving-operator:0.1.0"
    assert image("image.tag=1.2.3", "image.repository=registry.example.org/op") == (
        "registry.example.org/op:1.2.3"
    )
    assert image(f"image.digest={digest}", "image.tag=1.2.3") == f"tfserving-operator@{digest}"


def test_names_can_be_overridden_without_losing_each_other() -> None:
    documents = rendering.render("fullnameOverride=models-operator", **EVERYTHING)
    assert {one["metadata"]["name"].startswith("models-operator") for one in documents} == {True}
    (volume,) = [v for v in pod_of(documents)["spec"]["volumes"] if "configMap" in v]
    names = {c["metadata"]["name"] for c in rendering.of(documents, "ConfigMap")}
    assert volume["configMap"]["name"] in names


# Replicas


def test_more_than_one_replica_is_protected_and_one_is_not() -> None:
    assert rendering.of(rendering.render(), "PodDisruptionBudget") == []
    assert rendering.of(rendering.render("replicas=2", "podDisruptionBudget.enabled=false"), "PodDisruptionBudget") == []  # fmt: skip
    documents = rendering.render("replicas=2")
    budget = rendering.one(documents, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == rendering.one(documents, "Deployment")["spec"]["selector"]


def test_without_a_lease_there_is_one_replica_and_never_two_in_an_upgrade() -> None:
    assert "set leaderElection: true, or replicas: 1" in rendering.refusal(
        "replicas=2", "leaderElection=false"
    )
    alone = rendering.one(rendering.render("leaderElection=false"), "Deployment")
    assert alone["spec"]["strategy"] == {"type": "Recreate"}
    assert "strategy" not in rendering.one(rendering.render(), "Deployment")["spec"]


# Watching it


def test_nothing_of_other_operators_kinds_is_there_unless_it_is_asked_for() -> None:
    kinds = {document["kind"] for document in rendering.render(crd=True)}
    assert not kinds & {"ServiceMonitor", "PrometheusRule", "NetworkPolicy", "Service"}


def test_a_service_monitor_finds_the_service_and_the_service_the_pods() -> None:
    documents = rendering.render(
        "metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus"
    )
    monitor, service = rendering.one(documents, "ServiceMonitor"), rendering.one(documents, "Service")
    pod = pod_of(documents)
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (endpoint,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    (container_port,) = pod["spec"]["containers"][0]["ports"]
    assert (endpoint["port"], endpoint["honorLabels"]) == (port["name"], True)
    assert port["targetPort"] == container_port["name"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


# What people read


def notes(*sets: str) -> str:
    """The notes that an installation prints; nothing is installed."""
    flags = [part for each in ("crds.install=false", *sets) for part in ("--set", each)]
    chart = str(rendering.CHART)
    answer = rendering.helm("install", "demo", chart, "-n", "system", "--dry-run=client", *flags)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.rpartition("NOTES:")[2]


def test_the_notes_show_the_first_model_from_the_claim_to_the_wait() -> None:
    said = notes()
    claim, apply, wait = (
        said.index("kind: PersistentVolumeClaim"),
        said.index("kind: ModelDeployment"),
        said.index("kubectl wait tfmd/resnet --for=condition=Ready"),
    )
    assert claim < apply < wait


def test_the_notes_tell_what_the_values_leave_open() -> None:
    assert "Any server image may run" in notes()
    assert "Any server image may run" not in notes("policy.allowedImages={x/*}")
    assert "No namespace of models has a network policy yet" in notes("networkPolicies.enabled=true")
    chosen = notes("networkPolicies.enabled=true", "watchNamespaces={vision}")
    assert "No namespace of models" not in chosen
    assert "serves vision." in chosen


def test_the_readme_is_that_of_the_values() -> None:
    text = (Path(rendering.CHART) / "README.md").read_text()
    assert text.count("\n| `") > 50
