"""Bad input leads to a condition that names it; what served before serves on; nothing is quarantined."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import lab as labs

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-bad"


@pytest.fixture(scope="module")
def serving(lab: labs.Lab) -> labs.Lab:
    """A namespace in which version 1 serves."""
    if lab.process is None:
        lab.start()
    lab.make_namespace(NAMESPACE)
    lab.apply(lab.resource(NAMESPACE, 1))
    lab.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    return lab


def with_spec(part: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(resource: dict[str, Any]) -> None:
        resource["spec"].setdefault(part, {}).update(changes)

    return change


def without_version(resource: dict[str, Any]) -> None:
    del resource["spec"]["model"]["version"]


def with_unknown_field(resource: dict[str, Any]) -> None:
    resource["spec"]["modell"] = {}


def with_name(resource: dict[str, Any]) -> None:
    resource["metadata"]["name"] = "1-digits"


REFUSED = {
    "an unknown field": (with_unknown_field, "modell"),
    "no version": (without_version, "version"),
    "a name that a Service refuses": (with_name, "start with a letter"),
    "half a byte of memory": (with_spec("resources", limits={"memory": "500m"}), "500Mi"),
    "no memory limit": (with_spec("resources", limits={"cpu": "1"}), "memory"),
    "a request above its limit": (
        with_spec("resources", requests={"memory": "2Gi"}, limits={"memory": "1Gi"}),
        "memory",
    ),
    "a path of the node": (with_spec("model", uri="/models/digits"), "pvc://"),
}


@pytest.mark.parametrize(("change", "want"), REFUSED.values(), ids=REFUSED.keys())
def test_the_api_server_refuses(serving: labs.Lab, change: Callable[[dict[str, Any]], None], want: str):
    resource = serving.resource(NAMESPACE, 1)
    change(resource)
    with pytest.raises((RuntimeError, subprocess.CalledProcessError), match=want):
        serving.apply(resource)


def bad_cases(text: str | None) -> Callable[[dict[str, Any]], None]:
    def change(resource: dict[str, Any]) -> None:
        smoke = resource["spec"]["smoke"]
        smoke.pop("cases")
        smoke["casesFrom"] = [
            {"configMap": {"name": "goldens" if text is not None else "nowhere", "key": "cases"}}
        ]

    return change


def wrong_input_name(resource: dict[str, Any]) -> None:
    resource["spec"]["smoke"]["cases"] = [
        {"name": f"case-{i}", "instances": [{"picture": [float(i)] * 64}]} for i in range(2)
    ]


NAMED = {
    "a version folder that is not there": (
        with_spec("model", version=99),
        "Progressing",
        "ModelNotFound",
        "99",
        "",
    ),
    "an image that cannot be pulled": (
        with_spec("server", image="localhost/nowhere/serving:1"),
        "Progressing",
        "ImagePull",
        "nowhere",
        "",
    ),
    "a claim that is not there": (
        with_spec("model", uri="pvc://nowhere/digits", version=6),
        "Progressing",
        "ClaimMissing",
        "nowhere",
        "",
    ),
    "a claim that is not bound": (
        with_spec("model", uri="pvc://unbound/digits", version=6),
        "Progressing",
        "ClaimNotBound",
        "PersistentVolumeClaim",
        "",
    ),
    "a ConfigMap that is not there": (bad_cases(None), "Progressing", "CasesMissing", "nowhere", ""),
    "a ConfigMap that is malformed": (
        bad_cases("{"),
        "Progressing",
        "CasesInvalid",
        "goldens",
        "{ not a list",
    ),
    "a case with a wrong input name": (wrong_input_name, "Progressing", "CasesInvalid", "picture", ""),
    "an unknown flag": (
        with_spec("server", flags={"enable_bathing": "true"}),
        "Stalled",
        "InvalidSpec",
        "enable_batching",
        "",
    ),
    "a service account that is not allowed": (
        with_spec("template", spec={"serviceAccountName": "admin"}),
        "Stalled",
        "PolicyViolation",
        "admin",
        "",
    ),
}


@pytest.mark.parametrize(("change", "kind", "reason", "want", "cases"), NAMED.values(), ids=NAMED.keys())
def test_a_condition_names_it_and_what_served_serves_on(
    serving: labs.Lab,
    change: Callable[[dict[str, Any]], None],
    kind: str,
    reason: str,
    want: str,
    cases: str,
):
    unbound = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "unbound", "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    goldens = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "goldens", "namespace": NAMESPACE},
        "data": {"cases": cases},
    }
    serving.apply(unbound, goldens)
    before = serving.selected(NAMESPACE)
    resource = serving.resource(NAMESPACE, 6)
    change(resource)
    serving.apply(resource)
    condition = serving.wait_condition(NAMESPACE, kind, reason)
    print(f"{reason}: {condition['message']}")
    assert want in condition["message"]
    assert serving.condition(NAMESPACE, "Ready")["status"] == "False"
    assert serving.condition(NAMESPACE, "Available")["status"] == "True"
    status = serving.status(NAMESPACE)
    assert status["activeRevision"]["version"] == 1
    assert status.get("rejectedRevisions", []) == []
    assert serving.selected(NAMESPACE) == before
    serving.apply(serving.resource(NAMESPACE, 1))
    serving.wait_condition(NAMESPACE, "Ready", "RevisionReady")


def test_quota_that_leaves_no_room_is_a_condition(serving: labs.Lab):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "1"}},
    }
    serving.apply(quota)
    try:
        serving.apply(serving.resource(NAMESPACE, 6))
        condition = serving.wait_condition(NAMESPACE, "ResourcesValid", "QuotaExceeded")
        assert "team" in condition["message"]
        assert serving.condition(NAMESPACE, "Available")["status"] == "True"
    finally:
        serving.access.kubectl("delete", "resourcequota", "team", "-n", NAMESPACE)
    serving.apply(serving.resource(NAMESPACE, 1))
    serving.wait_condition(NAMESPACE, "Ready", "RevisionReady")


def test_idle_revisions_beyond_the_limit_go_with_what_belongs_to_them(serving: labs.Lab):
    kept = serving.selected(NAMESPACE)
    there = {name.rpartition("/")[2] for name in serving.names("deployments", NAMESPACE)}
    assert len(there - {kept}) > 1
    resource = serving.resource(NAMESPACE, 1)
    resource["spec"]["rollout"]["revisionHistoryLimit"] = 1
    serving.apply(resource)
    labs.wait_for("two Deployments", lambda: len(serving.names("deployments", NAMESPACE)) == 2)
    left = {name.rpartition("/")[2] for name in serving.names("deployments", NAMESPACE)}
    assert kept in left < there
    config_maps = {name.rpartition("/")[2] for name in serving.names("configmaps", NAMESPACE)}
    assert config_maps == {*left, f"{kept}-cases"}
