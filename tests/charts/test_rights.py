"""The rights that the chart gives, as it renders them."""

import pytest

from tests.charts import rendering
from tests.support import rights
from tfserving_operator.reconcile import leadership

pytestmark = pytest.mark.cluster


def grants(documents: list[rendering.Object]) -> set[rights.Right]:
    """What the roles that are bound to the operator give it."""
    account = rendering.one(documents, "ServiceAccount")["metadata"]["name"]
    return rights.granted(documents, {"name": account, "namespace": "system"})


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


def test_rights_on_budgets_and_network_policies_come_and_go_with_their_values() -> None:
    def verbs(resource: str, **values: bool) -> set[str]:
        return {verb for _, _, of, _, verb in grants(rendering.render(**values)) if of == resource}

    writes = {"get", "list", "watch", "create", "patch"}
    assert verbs("poddisruptionbudgets") == {*writes, "delete"}
    assert verbs("poddisruptionbudgets", **{"policy.disruptionBudgets": False}) == set()
    assert verbs("networkpolicies") == set()
    assert verbs("networkpolicies", **{"networkPolicies.models.byOperator": True}) == writes


def test_what_pods_take_may_be_asked_for_where_it_is_asked_for() -> None:
    def given(**values: bool) -> set[tuple[str, str]]:
        return {
            (of, verb) for _, group, of, _, verb in grants(rendering.render(**values)) if "metrics" in group
        }

    assert given() == set()
    assert given(**{"metrics.podMetrics": True}) == {("pods", "list")}


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
    for one in rendering.render("watchNamespaces={a}", **rendering.EVERYTHING):
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
    assert rendering.pod_of(documents)["spec"]["serviceAccountName"] == "mine"
