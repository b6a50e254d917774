"""One ModelDeployment from its creation to its deletion: requests, drift, names, ownership."""

import collections
import itertools
import json
import operator
import subprocess
import sys
import time

import pytest

from local.cluster import api as clusters
from local.demo import audit
from tests.support import lab as labs
from tfserving_operator.api import constants, types
from tfserving_operator.core import revisions

pytestmark = pytest.mark.e2e

READS = {"get", "list"}

_ANNOTATE = """
import itertools, select, subprocess, sys
import requests

namespace, name = sys.argv[1:]
proxy = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
try:
    address = proxy.stdout.readline().rpartition(" ")[2].strip()
    url = f"http://{address}/apis/tfserving.dev/v1alpha1/namespaces/{namespace}/modeldeployments/{name}"
    session = requests.Session()
    for number in itertools.count():
        body = {"metadata": {"annotations": {"somebody": str(number)}}}
        session.patch(url, json=body, headers={"Content-Type": "application/merge-patch+json"}).raise_for_status()
        if select.select([sys.stdin], [], [], 0)[0]:
            break
finally:
    proxy.terminate()
    proxy.wait()
"""


@pytest.fixture(scope="module")
def namespace(lab: labs.Lab) -> str:
    lab.make_namespace("e2e-life")
    return "e2e-life"


def counted(entries: list[audit.Entry], *namespaces: str) -> collections.Counter[str]:
    """Requests by kind in some namespaces ("" for those of the whole cluster), without watches and the Lease."""
    entries = [e for e in entries if e.namespace in namespaces]
    return collections.Counter(
        f"{e.verb} {e.resource}"
        for e in entries
        if e.stage == "ResponseComplete" and e.verb != "watch" and e.resource != "leases"
    )


def test_a_create_and_a_new_version_stay_within_their_budgets(running: labs.Lab, namespace: str):
    running.stop()
    running.start()  # so that no periodic relist falls into the count
    running.wait_synced()
    began = time.time()
    running.apply(running.resource(namespace, 1))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    time.sleep(2)
    create = counted(running.entries(since=began), namespace)
    began = time.time()
    running.apply(running.resource(namespace, 6))
    running.wait_condition(namespace, "Ready", "RevisionReady")
    labs.wait_for("the old revision at 0", lambda: len(running.names("pods", namespace)) == 1)
    time.sleep(2)
    update = counted(running.entries(since=began), namespace)
    print("create:", dict(create), "update:", dict(update))
    assert create["create configmaps"] == 2  # the model config, and the pinned cases
    assert create.total() - create["create configmaps"] <= 10
    assert create["patch modeldeployments/status"] <= 4
    assert create["create events"] <= 3
    assert not [kind for kind in create if kind.split()[0] in READS]
    assert update.total() - update["create configmaps"] <= 11


def test_the_log_and_the_events_each_tell_both_rollouts_from_beginning_to_end(
    running: labs.Lab, namespace: str
):
    lines = running.logged("status", namespace)
    steps = [(line["phase"], line.get("candidateVersion", line.get("activeVersion"))) for line in lines]
    phases = ["Starting", "Testing", "Baking", "Ready"]
    assert [step for step, _ in itertools.groupby(steps)] == [(p, v) for v in (1, 6) for p in phases]
    times = [line["timestamp"] for line in lines]
    assert times == sorted(times)

    said = running.access.kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json")
    ours = (e for e in json.loads(said)["items"] if e["regarding"]["kind"] == constants.KIND)
    told = [(e["reason"], e["note"]) for e in sorted(ours, key=operator.itemgetter("eventTime"))]
    reasons = ["RevisionStarting", "Promoted", "RevisionReady"]
    assert [reason for reason, _ in told] == reasons * 2
    assert [f"(version {v})" in note for (_, note), v in zip(told, [1] * 3 + [6] * 3, strict=True)] == [
        True
    ] * 6
    assert [(line["reason"], line["message"]) for line in running.logged("event", namespace)] == told


def test_an_idle_operator_asks_for_nothing_but_its_lease_and_a_relist(running: labs.Lab, namespace: str):
    began = time.time()
    time.sleep(60)
    asked = counted(running.entries(since=began), namespace, "")
    assert {kind for kind in asked if not kind.startswith("list ")} == set()


def test_a_selector_edited_by_hand_is_put_right_within_a_second(running: labs.Lab, namespace: str):
    right = running.selected(namespace)
    began = time.time()
    patch = f'{{"spec":{{"selector":{{"{constants.LABEL_REVISION}":"digits-rejected"}}}}}}'
    running.access.kubectl("patch", "service", labs.NAME, "-n", namespace, "--type=merge", "-p", patch)
    labs.wait_for("the selector", lambda: running.selected(namespace) == right, seconds=5)
    writes = [
        e
        for e in audit.read(running.cluster.audit_log, since=began)
        if e.resource == "services" and e.verb == "patch"
    ]
    by_hand = next(e for e in writes if e.user != running.user and e.namespace == namespace)
    by_us = next(e for e in writes if e.user == running.user and e.namespace == namespace)
    assert by_us.reached - by_hand.reached < 1.0
    said = running.access.kubectl(
        "get", "events.events.k8s.io", "-n", namespace, "-o", "jsonpath={.items[*].reason}"
    )
    assert "DriftCorrected" in said


def test_a_service_of_somebody_else_is_left_alone(running: labs.Lab, namespace: str):
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken", "namespace": namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    running.apply(theirs)
    before = running.get("service", namespace, "taken")
    mine = running.resource(namespace, 1)
    mine["metadata"]["name"] = "taken"
    running.apply(mine)
    stalled = running.wait_condition(namespace, "Stalled", "NameTaken", name="taken")
    assert "Service taken" in stalled["message"]
    assert running.get("service", namespace, "taken") == before
    assert running.condition(namespace, "Available", name="taken").get("status") != "True"
    running.access.kubectl("delete", labs.RESOURCE, "taken", "-n", namespace, "--wait=true")
    assert running.get("service", namespace, "taken")["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_deployment_of_somebody_else_is_left_alone(running: labs.Lab, namespace: str):
    mine = running.resource(namespace, 1)
    mine["metadata"]["name"] = "held"
    revision = revisions.name_of("held", types.parse_spec(mine["spec"]))
    labelled = {"matchLabels": {"app": "theirs"}}
    pods = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": revision, "namespace": namespace},
        "spec": {"replicas": 0, "selector": labelled, "template": pods},
    }
    running.apply(theirs)
    before = running.get("deployment", namespace, revision)["spec"]
    running.apply(mine)
    stalled = running.wait_condition(namespace, "Stalled", "NameTaken", name="held")
    assert f"Deployment {revision}" in stalled["message"]
    running.access.kubectl("delete", labs.RESOURCE, "held", "-n", namespace, "--wait=true")
    assert running.get("deployment", namespace, revision)["spec"] == before


def test_a_budget_of_somebody_else_is_left_alone(running: labs.Lab, namespace: str):
    def ask_for(budget: int | None) -> None:
        patch = json.dumps({"spec": {"disruption": {"maxUnavailable": budget}}})
        running.access.kubectl(
            "patch", labs.RESOURCE, labs.NAME, "-n", namespace, "--type=merge", "-p", patch
        )

    theirs = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": labs.NAME, "namespace": namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "theirs"}}},
    }
    running.apply(theirs)
    ask_for(1)
    stalled = running.wait_condition(namespace, "Stalled", "NameTaken")
    assert f"PodDisruptionBudget {labs.NAME}" in stalled["message"]
    assert running.get("poddisruptionbudget", namespace)["spec"] == theirs["spec"]
    ask_for(None)
    running.wait_condition(namespace, "Ready", "RevisionReady")
    assert running.get("poddisruptionbudget", namespace)["spec"] == theirs["spec"]


def test_a_status_that_was_overtaken_is_written_again(running: labs.Lab, namespace: str):
    """Somebody writes to the object all the time, so that it is another one whenever the operator writes."""
    began = time.time()

    def overtaken() -> bool:
        return any(e.code == 409 and e.resource.endswith("/status") for e in running.entries(since=began))

    program = clusters.command(running.cluster, [sys.executable, "-c", _ANNOTATE, namespace, labs.NAME])
    writer = subprocess.Popen(program, env=clusters.environment(running.cluster), stdin=subprocess.PIPE)
    try:
        for paused in itertools.cycle((True, None)):
            patch = json.dumps({"spec": {"rollout": {"paused": paused}}})
            running.access.kubectl(
                "patch", labs.RESOURCE, labs.NAME, "-n", namespace, "--type=merge", "-p", patch
            )
            if paused is None and overtaken():
                break
            assert time.time() - began < 60, "the operator was never overtaken"
    finally:
        writer.communicate()
    running.wait_condition(namespace, "Ready", "RevisionReady")


def test_what_kubectl_shows_is_one_line_for_a_person(running: labs.Lab, namespace: str):
    said = running.access.kubectl("get", labs.RESOURCE, labs.NAME, "-n", namespace)
    print(said)
    header, row = said.strip().splitlines()
    assert "PHASE" in header
    assert "Ready" in row
    assert " 6 " in row


def test_the_replicas_follow_the_scale_subresource(running: labs.Lab, namespace: str):
    running.access.kubectl("scale", labs.RESOURCE, labs.NAME, "-n", namespace, "--replicas=2")
    labs.wait_for("two pods", lambda: running.status(namespace).get("readyReplicas") == 2)
    running.access.kubectl("scale", labs.RESOURCE, labs.NAME, "-n", namespace, "--replicas=1")
    labs.wait_for("one pod", lambda: running.status(namespace).get("replicas") == 1)


def test_a_deletion_removes_everything_while_the_operator_is_down(running: labs.Lab, namespace: str):
    running.stop()
    assert running.names("deployments,services,configmaps,pods", namespace)
    running.access.kubectl("delete", labs.RESOURCE, labs.NAME, "-n", namespace, "--wait=true")
    labs.wait_for(
        "everything gone",
        lambda: not running.names("deployments,services,configmaps,pods", namespace),
        seconds=60,
    )
