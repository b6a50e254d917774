"""Projections of what the API says."""

from datetime import UTC, datetime

from tfserving_operator.core import observed

POD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"tfserving.dev/model-deployment": "digits", "tfserving.dev/revision": "digits-a"},
        "ownerReferences": [{"uid": "other"}, {"uid": "rs", "controller": True}],
    },
    "spec": {"nodeName": "node"},
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {
                "name": "server",
                "ready": True,
                "restartCount": 1,
                "state": {"running": {}},
                "lastState": {
                    "terminated": {
                        "reason": "OOMKilled",
                        "exitCode": 137,
                        "finishedAt": "2026-01-01T00:01:00Z",
                    }
                },
            }
        ],
    },
}


def test_a_pod_is_projected():
    pod = observed.pod_from_raw(POD)
    assert pod.meta.owner_uid == "rs"
    assert (pod.meta.model_deployment, pod.meta.revision) == ("digits", "digits-a")
    assert (pod.ready, pod.scheduled, pod.ip, pod.node) == (True, True, "10.0.0.1", "node")
    (server,) = pod.containers
    assert server.last_terminated.reason == "OOMKilled"
    assert server.last_terminated.finished_at == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_a_change_of_the_resource_version_alone_is_no_change():
    newer = {**POD, "metadata": {**POD["metadata"], "resourceVersion": "8"}}
    assert observed.pod_from_raw(POD) == observed.pod_from_raw(newer)


def test_an_empty_pod_is_projected():
    pod = observed.pod_from_raw({"metadata": {"name": "p", "uid": "u"}})
    assert (pod.phase, pod.ready, pod.containers) == ("Pending", False, ())


def test_a_deployment_that_cannot_make_pods_says_why():
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": "exceeded quota",
        "reason": "FailedCreate",
    }
    raw = {
        "metadata": {"name": "d", "uid": "u"},
        "spec": {"replicas": 2},
        "status": {"conditions": [failure]},
    }
    deployment = observed.deployment_from_raw(raw)
    assert (deployment.replicas, deployment.replica_failure) == (2, "exceeded quota")
