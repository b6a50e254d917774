"""Kills for memory in the load burst and after the bake; the demo shows those while loading and in the bake."""

import json
import time
from typing import Any

import pytest

from tests.support import lab as labs

pytestmark = pytest.mark.e2e

ROWS = 4096
"""Version 5 takes 1 GiB for so many rows; version 1 takes next to nothing."""


def limited(lab: labs.Lab, namespace: str, version: int, memory: str, **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "100m", "memory": memory}, "limits": {"cpu": "1", "memory": memory}}
    return lab.resource(namespace, version, resources=resources, **spec)


def is_ready_after(lab: labs.Lab, namespace: str, kills: int) -> bool:
    """Whether a server was killed so often and is Ready again."""
    said = lab.access.kubectl("get", "pods", "-n", namespace, "-o", "json")
    statuses = (s for pod in json.loads(said)["items"] for s in pod["status"].get("containerStatuses", []))
    return any(s["restartCount"] >= kills and s["ready"] for s in statuses)


def test_a_kill_in_the_load_burst_rejects_the_candidate(running: labs.Lab):
    namespace = "e2e-burst"
    running.make_namespace(namespace)
    running.apply(running.resource(namespace, 1))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    rows = json.dumps([[0] * 64] * ROWS, separators=(",", ":"))
    large = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "large",
            "namespace": namespace,
            "labels": {"tfserving.dev/smoke-cases": "true"},
        },
        "data": {"cases": f'[{{"name": "large", "instances": {rows}}}]'},
    }
    running.access.kubectl("create", "-f", "-", stdin=json.dumps(large))
    resource = limited(running, namespace, 5, "384Mi")
    resource["spec"]["smoke"]["casesFrom"] = [{"configMap": {"name": "large", "key": "cases"}}]
    running.apply(resource)
    running.wait_condition(namespace, "Stalled", "RolledBack")
    rejected = running.status(namespace)["rejectedRevisions"][0]
    print(rejected["message"])
    assert (rejected["version"], rejected["reason"]) == (5, "OOMKilled")
    assert "set resources.limits.memory to 768Mi" in rejected["message"]
    assert running.status(namespace)["activeRevision"]["version"] == 1


def test_repeated_kills_after_the_bake_go_back_once_to_a_revision_with_more_room(running: labs.Lab):
    namespace = "e2e-after"
    running.make_namespace(namespace)
    running.apply(limited(running, namespace, 1, "512Mi"))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    running.apply(limited(running, namespace, 5, "384Mi"))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    for kills in (1, 2):
        running.send_rows(namespace, 8192)
        if kills == 1:
            labs.wait_for("the server again", lambda: is_ready_after(running, namespace, 1))
            assert running.status(namespace)["activeRevision"]["version"] == 5
    began = time.monotonic()
    running.wait_condition(namespace, "Stalled", "RolledBack")
    print(f"went back within {time.monotonic() - began:.1f} s of the second kill")
    status = running.status(namespace)
    assert status["activeRevision"]["version"] == 1
    assert status["rejectedRevisions"][0]["reason"] == "OOMKilled"
    assert status["stepBack"]["fromRevision"] == status["rejectedRevisions"][0]["name"]


def test_without_more_room_the_newer_revision_stays(running: labs.Lab):
    namespace = "e2e-stays"
    running.make_namespace(namespace)
    running.apply(limited(running, namespace, 5, "384Mi"))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    for kills in (1, 2):
        running.send_rows(namespace, 8192)
        labs.wait_for("the server again", lambda kills=kills: is_ready_after(running, namespace, kills))
    stalled = running.wait_condition(namespace, "Stalled", "NoHealthyRevision")
    print(stalled["message"])
    assert "768Mi" in stalled["message"]
    assert running.condition(namespace, "Available")["status"] == "True"
