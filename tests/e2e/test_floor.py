"""A memory limit below the floor: no server is started under it, and the limit that is named instead works."""

import json
from typing import Any

import pytest

from tests.support import lab as labs

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-floor"
TOO_LOW = "32Mi"


def limited(running: labs.Lab, memory: str, **spec: Any) -> dict[str, Any]:
    amounts = {"cpu": "200m", "memory": memory}
    return running.resource(NAMESPACE, 6, resources={"requests": amounts, "limits": amounts}, **spec)


def started(running: labs.Lab, revision: str) -> set[str]:
    """The containers of a revision's pods that the kubelet has ever started, by its Events."""
    said = running.access.kubectl("get", "events", "-n", NAMESPACE, "-o", "json")
    return {
        event["involvedObject"].get("fieldPath", "")
        for event in json.loads(said)["items"]
        if event["reason"] == "Started" and event["involvedObject"]["name"].startswith(f"{revision}-")
    }


def rejection(running: labs.Lab, reason: str) -> dict[str, Any]:
    """The newest rejection once it is for a reason."""

    def look() -> dict[str, Any] | None:
        found = (running.status(NAMESPACE).get("rejectedRevisions") or [{}])[0]
        return found if found.get("reason") == reason else None

    return dict(labs.wait_for(f"a rejection for {reason}", look, seconds=90))


def test_below_the_floor_no_server_starts_and_the_recommended_limit_works(running: labs.Lab):
    running.make_namespace(NAMESPACE)
    running.apply(running.resource(NAMESPACE, 1))
    running.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    first = running.status(NAMESPACE)["resources"]
    assert first["revision"] == running.status(NAMESPACE)["activeRevision"]["name"]
    assert first["qosClass"] == "Burstable"
    assert first["modelBytes"] > 0

    running.apply(limited(running, TOO_LOW))
    refused = rejection(running, "MemoryBelowFloor")
    print(refused["message"])
    said = running.wait_condition(NAMESPACE, "ResourcesValid", "MemoryBelowFloor")
    resources = running.status(NAMESPACE)["resources"]
    advice = resources["recommendedMemoryLimit"]
    assert f"resources.limits.memory is {TOO_LOW}" in said["message"]
    assert f"set resources.limits.memory to {advice}" in said["message"]
    assert (resources["revision"], resources["qosClass"]) == (refused["name"], "Guaranteed")
    assert resources["memoryFloor"] in said["message"]
    assert started(running, refused["name"]) == {"spec.initContainers{inspect}"}
    assert running.status(NAMESPACE)["activeRevision"]["version"] == 1
    assert running.condition(NAMESPACE, "Available")["status"] == "True"

    running.apply(limited(running, TOO_LOW, resourcePolicy="Warn"))
    killed = rejection(running, "OOMKilled")
    print(killed["message"])
    assert killed["name"] == refused["name"]
    assert "spec.containers{server}" in started(running, refused["name"])

    running.apply(limited(running, running.status(NAMESPACE)["resources"]["recommendedMemoryLimit"]))
    running.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    proven = running.status(NAMESPACE)
    assert proven["activeRevision"]["version"] == 6
    assert proven["resources"]["revision"] == proven["activeRevision"]["name"]
    assert proven["resources"]["qosClass"] == "Guaranteed"
