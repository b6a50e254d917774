"""What stands between a model and the rest: evictions bounded by a budget, and a network that lets nobody through."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import lab as labs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-companions"
BUDGET = "poddisruptionbudget"


@pytest.fixture(scope="module")
def serving(lab: labs.Lab) -> labs.Lab:
    """One model with one pod, which no eviction may take."""
    lab.make_namespace(NAMESPACE)
    lab.apply(lab.resource(NAMESPACE, 1, disruption={"maxUnavailable": 0}))
    lab.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    return lab


def pods(lab: labs.Lab) -> list[str]:
    """The Ready pods of the revision that serves."""
    selector = f"{constants.LABEL_REVISION}={lab.selected(NAMESPACE)}"
    said = lab.access.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json")
    return [
        pod["metadata"]["name"]
        for pod in json.loads(said)["items"]
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    ]


def evict(lab: labs.Lab, pod: str) -> str:
    """Ask for an eviction as a drain does; what the API server refuses it for, or ""."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": NAMESPACE},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    done = lab.in_network(
        *("kubectl", "create", "--raw", path, "-f", "-"), input=json.dumps(body), check=False
    )
    return done.stderr if done.returncode else ""


def allowed(lab: labs.Lab) -> int | None:
    """How many evictions the budget allows, once the cluster has counted its present form."""
    budget = lab.get(BUDGET, NAMESPACE)
    status = budget.get("status", {})
    if not budget or status.get("observedGeneration") != budget["metadata"]["generation"]:
        return None
    return int(status["disruptionsAllowed"])


def patch(lab: labs.Lab, kind: str, body: Any) -> None:
    lab.access.kubectl("patch", kind, labs.NAME, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(body))


@contextmanager
def dropped(lab: labs.Lab) -> Iterator[None]:
    """Drop what the operator's process sends to REST ports of pods, and nothing of the kubelet's."""
    rule = [
        *("OUTPUT", "-p", "tcp", "--dport", str(constants.PORT_REST)),
        *("-m", "owner", "--gid-owner", str(labs.GROUP), "-j", "DROP"),
    ]
    lab.in_network("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        lab.in_network("iptables", "-w", "-D", *rule)


def test_the_drain_of_the_only_pod_is_refused_where_the_user_asked_for_that(serving: labs.Lab):
    labs.wait_for("the budget's count", lambda: allowed(serving) == 0)
    (pod,) = pods(serving)
    assert "disruption budget" in evict(serving, pod)
    valid = serving.condition(NAMESPACE, "ResourcesValid")
    assert "forbids every eviction" in valid["message"]


def test_traffic_that_is_dropped_between_operator_and_pod_is_told_and_rejects_nothing(serving: labs.Lab):
    before = serving.selected(NAMESPACE)
    with dropped(serving):
        serving.apply(serving.resource(NAMESPACE, 6, disruption={"maxUnavailable": 1}))
        told = serving.wait_condition(NAMESPACE, "SmokeTestPassed", "PodUnreachable")
        assert told["status"] == "Unknown"
        assert f"let namespace {labs.SYSTEM} in on TCP 8501" in told["message"]
        assert "NetworkPolicy smoke-tests in docs/causes/test-cannot-run.md" in told["message"]
        status = serving.status(NAMESPACE)
        assert status["activeRevision"]["version"] == 1
        assert not status.get("rejectedRevisions")
        assert serving.condition(NAMESPACE, "Available")["status"] == "True"
        assert serving.selected(NAMESPACE) == before
    serving.wait_condition(NAMESPACE, "Ready", "RevisionReady")
    assert not serving.status(NAMESPACE).get("rejectedRevisions")


def test_the_budget_has_followed_the_flip(serving: labs.Lab):
    budget = serving.get(BUDGET, NAMESPACE)
    revision = serving.selected(NAMESPACE)
    assert budget["spec"]["selector"]["matchLabels"][constants.LABEL_REVISION] == revision
    (owner,) = budget["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == (constants.KIND, labs.NAME, True)


def test_a_budget_edited_by_hand_is_put_right(serving: labs.Lab):
    patch(serving, BUDGET, {"spec": {"maxUnavailable": 7}})
    labs.wait_for(
        "the budget", lambda: serving.get(BUDGET, NAMESPACE)["spec"]["maxUnavailable"] == 1, seconds=10
    )


def test_of_two_pods_one_may_go_at_a_time(serving: labs.Lab):
    patch(serving, labs.RESOURCE, {"spec": {"replicas": 2}})
    labs.wait_for("two Ready pods", lambda: len(pods(serving)) == 2, seconds=90)
    labs.wait_for("the budget's count", lambda: allowed(serving) == 1)
    first, second = pods(serving)
    assert evict(serving, first) == ""
    assert "disruption budget" in evict(serving, second)
    patch(serving, labs.RESOURCE, {"spec": {"replicas": 1, "disruption": {"maxUnavailable": None}}})
    labs.wait_for("no budget", lambda: not serving.get(BUDGET, NAMESPACE))
    labs.wait_for("one Ready pod", lambda: len(pods(serving)) == 1, seconds=90)
    (last,) = pods(serving)
    assert evict(serving, last) == ""


def test_a_budget_goes_with_its_model(serving: labs.Lab):
    patch(serving, labs.RESOURCE, {"spec": {"disruption": {"maxUnavailable": "50%"}}})
    labs.wait_for("the budget", lambda: serving.get(BUDGET, NAMESPACE))
    serving.access.kubectl("delete", labs.RESOURCE, labs.NAME, "-n", NAMESPACE, "--wait=true")
    labs.wait_for("no budget", lambda: not serving.get(BUDGET, NAMESPACE))


def test_the_operators_rule_is_gone(serving: labs.Lab):
    """What a test has closed must not be closed to those after it."""
    rules: subprocess.CompletedProcess[str] = serving.in_network("iptables", "-S", "OUTPUT")
    assert "--gid-owner" not in rules.stdout
