"""What the default roles of a namespace hold of ModelDeployments, asked of the API server for real users."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import lab as labs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

HOME, ABROAD = "e2e-roles", "e2e-roles-abroad"
ROLES = {
    "vera": "view",
    "edgar": "edit",
    "ada": "admin",
    "mona": f"{labs.RELEASE}-edit",
    "nobody": "",
}
"""Users by the ClusterRole that is bound to them in one namespace; mona has the chart's own only."""

READS, WRITES = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")
MODELS, STATUS, SCALE = constants.PLURAL, f"{constants.PLURAL}/status", f"{constants.PLURAL}/scale"
Grant = tuple[str, str, str, str]
"""User, namespace, verb, resource."""


def expected() -> dict[Grant, bool]:
    """Who may what: everything else of these questions is no."""
    table: dict[Grant, bool] = {}
    for user, role in ROLES.items():
        edits = role not in {"", "view"}
        reads_status = role in {"view", "edit", "admin"}  # view is part of edit, and edit of admin
        for verb in (*READS, *WRITES):
            table[user, HOME, verb, MODELS] = edits or (verb in READS and role == "view")
            table[user, ABROAD, verb, MODELS] = False
            table[user, HOME, verb, STATUS] = verb in READS and reads_status
        for verb in ("get", "update", "patch"):
            table[user, HOME, verb, SCALE] = edits or (verb == "get" and role == "view")
    for verb, resource in (
        ("get", "secrets"),
        ("get", "configmaps"),
        ("list", "pods"),
        ("create", "pods"),
        ("create", "services"),
        ("create", "deployments.apps"),
        ("create", "poddisruptionbudgets.policy"),
        ("create", "networkpolicies.networking.k8s.io"),
        ("impersonate", "serviceaccounts"),
        ("create", "serviceaccounts/token"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
    ):
        table["mona", HOME, verb, resource] = False
        table["nobody", HOME, verb, resource] = False
    return table


def review(grant: Grant) -> dict[str, Any]:
    """The question to the API server's authorizer."""
    user, namespace, verb, resource = grant
    name, _, subresource = resource.partition("/")
    name, _, group = name.partition(".")
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "group": constants.GROUP if name == MODELS else group,
        "resource": name,
        "subresource": subresource,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes},
    }


def answers(lab: labs.Lab, grants: list[Grant]) -> Iterator[bool]:
    """What the API server says to each question."""
    asked = {"apiVersion": "v1", "kind": "List", "items": [review(grant) for grant in grants]}
    text = lab.access.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(asked)).strip()
    decoder = json.JSONDecoder()
    while text:
        answer, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        for each in answer["items"] if answer["kind"] == "List" else [answer]:
            yield bool(each["status"]["allowed"])


@pytest.fixture(scope="module")
def users(lab: labs.Lab) -> labs.Lab:
    for namespace in (HOME, ABROAD):
        lab.namespaces.append(namespace)
        lab.apply(labs.restricted_namespace(namespace))
    group = "rbac.authorization.k8s.io"
    lab.apply(
        *(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": user, "namespace": HOME},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            }
            for user, role in ROLES.items()
            if role
        )
    )
    return lab


def test_the_default_roles_hold_what_the_table_says(users: labs.Lab):
    table = expected()
    labs.wait_for("the aggregation", lambda: all(answers(users, [("ada", HOME, "create", MODELS)])))
    found = dict(zip(table, answers(users, list(table)), strict=True))
    assert {grant: said for grant, said in found.items() if said is not table[grant]} == {}
    assert sum(found.values()) > 20
