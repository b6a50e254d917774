"""Room in the namespace and on the node: told before anything starts, and looked at again when it changes."""

from typing import Any

import pytest

from tests.support import lab as labs

pytestmark = pytest.mark.e2e


def _quota(namespace: str, **hard: str) -> dict[str, Any]:
    metadata = {"name": "team", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}


def _nothing_started(running: labs.Lab, namespace: str) -> bool:
    return not running.names("deployments", namespace)


def test_a_quota_without_room_holds_the_start_until_it_is_raised(running: labs.Lab):
    namespace = "e2e-quota-room"
    running.make_namespace(namespace)
    running.apply(_quota(namespace, **{"limits.memory": "300Mi"}))
    running.apply(running.resource(namespace, 1))
    held = running.wait_condition(namespace, "ResourcesValid", "QuotaExceeded")
    assert "ResourceQuota team leaves 300Mi of limits.memory" in held["message"]
    assert "short by" in held["message"]
    assert _nothing_started(running, namespace)
    running.apply(_quota(namespace, **{"limits.memory": "8Gi"}))
    running.wait_condition(namespace, "Ready", "RevisionReady")


def test_the_revision_beside_the_active_one_must_fit_too(running: labs.Lab):
    namespace = "e2e-quota-beside"
    running.make_namespace(namespace)
    running.apply(running.resource(namespace, 1))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    running.apply(_quota(namespace, pods="1"))
    labs.wait_for(
        "the quota's count",
        lambda: running.get("resourcequota", namespace, "team").get("status", {}).get("used"),
    )
    running.apply(running.resource(namespace, 6))
    held = running.wait_condition(namespace, "ResourcesValid", "QuotaExceeded")
    assert "which run beside those of the active one" in held["message"]
    assert running.condition(namespace, "Available")["status"] == "True"
    running.apply(_quota(namespace, pods="2"))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    assert running.status(namespace)["activeRevision"]["version"] == 6


def test_a_limit_range_that_refuses_the_pods_is_named(running: labs.Lab):
    namespace = "e2e-limit-range"
    running.make_namespace(namespace)
    metadata = {"name": "bounds", "namespace": namespace}
    item = {"type": "Container", "max": {"memory": "300Mi"}}
    running.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [item]}}
    )
    labs.wait_for("the range", lambda: running.get("limitrange", namespace, "bounds").get("spec"))
    running.apply(running.resource(namespace, 1))
    held = running.wait_condition(namespace, "ResourcesValid", "PodsRefused")
    assert "LimitRange bounds allows at most 300Mi of memory for a container" in held["message"]
    assert _nothing_started(running, namespace)


def test_a_limit_beyond_every_node_is_told_with_the_largest_one(running: labs.Lab):
    namespace = "e2e-node-room"
    running.make_namespace(namespace)
    huge = {"limits": {"memory": "900Gi", "cpu": "1"}}
    running.apply(running.resource(namespace, 1, resources=huge))
    held = running.wait_condition(namespace, "ResourcesValid", "Unschedulable")
    assert "a pod asks for 900Gi of memory" in held["message"]
    assert _nothing_started(running, namespace)
    running.apply(running.resource(namespace, 1, resources=huge, resourcePolicy="Warn"))
    labs.wait_for("the Deployment", lambda: running.names("deployments", namespace))
