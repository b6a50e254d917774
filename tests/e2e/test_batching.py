"""Batching on the real kubelet: promoted, in effect, and no pod leaves its Service while its threads wait."""

import json
import sys
from typing import Any

import pytest

from tests.support import lab as labs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

IN_FLIGHT = 64
ROUNDS = 6
BATCHING = {
    "maxBatchSize": 96,  # more than are in flight: each batch waits for its timeout, and its threads with it
    "batchTimeoutMicros": 500_000,
    "allowedBatchSizes": [8, 96],
}

_LOAD = """
import collections, json, sys, threading, requests
url, image, in_flight, rounds = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
seen = collections.Counter()
def work():
    for _ in range(rounds):
        try:
            seen[requests.post(url, json={"instances": [image]}, timeout=60).status_code] += 1
        except requests.RequestException as error:
            seen[type(error).__name__] += 1
threads = [threading.Thread(target=work) for _ in range(in_flight)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(seen))
"""


def _pod(lab: labs.Lab, namespace: str) -> dict[str, Any]:
    (pod,) = json.loads(lab.access.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return dict(pod)


def _ready_since(pod: dict[str, Any]) -> str:
    (ready,) = [c for c in pod["status"]["conditions"] if c["type"] == "Ready"]
    assert ready["status"] == "True"
    return str(ready["lastTransitionTime"])


def test_a_batching_server_is_promoted_and_stays_ready_with_64_slow_requests_in_flight(running: labs.Lab):
    namespace = "e2e-batching"
    running.make_namespace(namespace)
    resource = running.resource(namespace, 1)
    resource["spec"]["server"]["batching"] = BATCHING
    resource["spec"]["smoke"]["load"] = {"requests": 16, "concurrency": 8}
    running.apply(resource)
    running.wait_condition(namespace, "Ready", "RevisionReady")
    pod = _pod(running, namespace)
    log = running.access.kubectl("logs", "-n", namespace, pod["metadata"]["name"], "-c", "server")
    assert "Wrapping session to perform batch processing" in log
    before, address = _ready_since(pod), f"http://{pod['status']['podIP']}:{constants.PORT_REST}"
    url = f"{address}/v1/models/digits:predict"
    image = json.dumps(running.known.images[0])
    done = running.in_network(
        sys.executable, "-c", _LOAD, url, image, str(IN_FLIGHT), str(ROUNDS), timeout=120
    )
    seen = json.loads(done.stdout)
    page = running.in_network("curl", "-s", f"{address}/monitoring/prometheus/metrics").stdout
    queued = [line for line in page.splitlines() if "batching_session" in line and "_count" in line]
    print(f"{IN_FLIGHT} in flight, {ROUNDS} times: {seen}; {queued[:1]}")
    assert seen == {"200": IN_FLIGHT * ROUNDS}
    assert queued
    assert _ready_since(_pod(running, namespace)) == before
