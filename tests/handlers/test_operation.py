"""The whole process: what kopf does and does not do, and how it lives and ends."""

import socket
import time
from typing import Any

import pytest

from tests.support.processes import Operators, wait_for
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.reconcile import leadership

pytestmark = pytest.mark.cluster

MODELS, DEPLOYMENTS, LEASES = resources.MODEL_DEPLOYMENTS, resources.DEPLOYMENTS, resources.LEASES


def observed_generation(running: Operators) -> int:
    return int(running.read(MODELS, "digits")["status"]["observedGeneration"])


def holder(running: Operators) -> str:
    return str(running.read(LEASES, leadership.LEASE_NAME)["spec"]["holderIdentity"])


def test_a_model_deployment_is_taken_up_and_only_its_status_is_written(running: Operators) -> None:
    operator = running.start()
    made = running.create_model()
    wait_for(lambda: running.list(DEPLOYMENTS) and observed_generation(running) == 1)
    now = running.read(MODELS, "digits")
    assert now["spec"] == made["spec"]
    for field in ("annotations", "finalizers", "labels", "ownerReferences"):
        assert field not in now["metadata"]
    managers = {(m["manager"], m.get("subresource", "")) for m in now["metadata"]["managedFields"]}
    assert ("tfserving-operator", "status") in managers
    assert not any("kopf" in manager for manager, _ in managers)
    assert operator.ask("healthz").json() == {"ok": True, "ailments": {}}
    assert operator.count("tfserving_operator_objects ") == 1.0


def test_a_change_and_a_deletion_arrive(running: Operators) -> None:
    operator = running.start()
    running.create_model()
    wait_for(lambda: observed_generation(running) == 1)
    running.patch_model({"spec": {"replicas": 3}})
    wait_for(lambda: observed_generation(running) == 2)
    running.api.request("DELETE", running.path(MODELS, "digits"))
    wait_for(lambda: operator.count("tfserving_operator_objects ") == 0.0)


def test_a_stop_releases_the_lease_and_a_start_writes_nothing(running: Operators) -> None:
    operator = running.start("one")
    running.create_model()
    wait_for(lambda: observed_generation(running) == 1)
    time.sleep(1)
    before = running.read(MODELS, "digits")
    assert operator.stop() == 0
    assert holder(running) == ""
    again = running.start("two")
    wait_for(lambda: again.count("tfserving_operator_reconciliations_total", "complete") >= 1)
    time.sleep(1)
    assert running.read(MODELS, "digits") == before
    for method in ("POST", "PATCH", "DELETE"):
        assert again.count("tfserving_operator_api_requests_total", method) == 0.0


def test_a_second_operator_stands_by_until_the_first_stops(running: Operators) -> None:
    first = running.start("one")
    wait_for(lambda: running.list(LEASES))
    second = running.start("two")
    assert holder(running) == "one"
    running.create_model()
    wait_for(lambda: observed_generation(running) == 1)
    assert second.count("tfserving_operator_api_requests_total", 'method="POST"') == 0.0
    assert first.stop() == 0
    wait_for(lambda: holder(running) == "two", seconds=5)
    running.patch_model({"spec": {"replicas": 2}})
    wait_for(lambda: observed_generation(running) == 2)


def test_a_stop_in_the_middle_of_a_smoke_test_waits_for_nobody_and_gives_no_verdict(
    running: Operators,
) -> None:
    with socket.create_server(("127.0.0.77", constants.PORT_REST)):  # accepts, and never answers
        operator = running.start()
        running.create_model()
        running.make_ready_pod(wait_for(lambda: running.list(DEPLOYMENTS))[0], "127.0.0.77")
        wait_for(lambda: operator.count("tfserving_operator_smoke_tests_running ") == 1.0)
        # The status that says so is written after the test has begun
        wait_for(lambda: running.read(MODELS, "digits")["status"]["phase"] == "Testing")
        before = running.read(MODELS, "digits")
        started = time.monotonic()
        assert operator.stop() == 0
        assert time.monotonic() - started < 3
    assert holder(running) == ""
    assert running.read(MODELS, "digits") == before


def test_an_operator_that_stands_by_stops_at_once(running: Operators) -> None:
    running.start("one")
    wait_for(lambda: running.list(LEASES))
    second = running.start("two")
    started = time.monotonic()
    assert second.stop() == 0
    assert time.monotonic() - started < 5
    assert holder(running) == "one"


def test_a_container_that_was_killed_goes_on_at_once_when_its_pod_restarts_it(running: Operators) -> None:
    running.start("pod-1").kill()
    started = time.monotonic()
    running.start("pod-1")
    running.create_model()
    wait_for(lambda: observed_generation(running) == 1)
    assert time.monotonic() - started < 10


def test_an_absent_api_server_is_outlived_and_nothing_is_missed(running: Operators) -> None:
    operator = running.start()
    running.create_model()
    wait_for(lambda: observed_generation(running) == 1)
    running.api.restart(away_seconds=1.0)
    running.patch_model({"spec": {"replicas": 2}})
    wait_for(lambda: observed_generation(running) == 2, seconds=60)
    assert operator.process.poll() is None
    assert operator.ask("healthz").status_code == 200


def test_an_object_that_is_nested_too_deeply_for_parsers_stops_nobody_else(running: Operators) -> None:
    operator = running.start()
    instances: Any = [1]
    for _ in range(900):
        instances = [instances]
    running.create_model("deep", smoke={"cases": [{"name": "a", "instances": instances}]})
    running.create_model("digits")
    wait_for(lambda: observed_generation(running) == 1)
    wait_for(lambda: running.read(MODELS, "deep").get("status", {}).get("phase"))
    again = running.start("two")
    assert operator.stop() == 0
    running.patch_model({"spec": {"replicas": 2}})
    wait_for(lambda: observed_generation(running) == 2)
    assert again.count("tfserving_operator_objects ") == 2.0


def test_a_lost_lease_ends_the_process(running: Operators) -> None:
    operator = running.start("one")
    wait_for(lambda: running.list(LEASES))
    lease = running.read(LEASES, leadership.LEASE_NAME)
    lease["spec"]["holderIdentity"] = "somebody"
    running.api.request("PUT", running.path(LEASES, leadership.LEASE_NAME), lease)
    assert operator.process.wait(timeout=30) == 1
    assert holder(running) == "somebody"


def test_settings_that_cannot_be_used_are_named_and_end_the_start(running: Operators) -> None:
    with pytest.raises(AssertionError, match="no inspectImage"):
        running.start(TFSERVING_OPERATOR_IMAGE="")
