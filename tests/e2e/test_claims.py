"""Claims that only one node may mount."""

import pytest

from tests.support import lab as labs

pytestmark = pytest.mark.e2e


def test_two_revisions_share_a_claim_of_one_node(running: labs.Lab):
    namespace = "e2e-once"
    running.make_namespace(namespace)
    running.apply(*running.volume(namespace, "once", running.known.folder, mode="ReadWriteOnce"))
    for version in (1, 6):
        resource = running.resource(namespace, version)
        resource["spec"]["model"]["uri"] = "pvc://once/digits"
        running.apply(resource)
        running.wait_condition(namespace, "Ready", "RevisionReady")
    revision = running.status(namespace)["activeRevision"]["name"]
    template = running.get("deployment", namespace, revision)["spec"]["template"]
    assert "podAffinity" in template["spec"]["affinity"]


def test_a_claim_on_another_node_is_named(running: labs.Lab):
    namespace = "e2e-elsewhere"
    running.make_namespace(namespace)
    volume, claim = running.volume(namespace, "elsewhere", running.known.folder, mode="ReadWriteOnce")
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["other"]}]}
    volume["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    running.apply(volume, claim)
    running.wait_bound(namespace, "elsewhere")
    resource = running.resource(namespace, 1)
    resource["spec"]["model"]["uri"] = "pvc://elsewhere/digits"
    running.apply(resource)
    running.wait_condition(namespace, "Progressing", "VolumeNodeConflict")


def test_a_claim_of_one_pod_is_refused(running: labs.Lab):
    namespace = "e2e-one-pod"
    running.make_namespace(namespace)
    running.apply(*running.volume(namespace, "single", running.known.folder, mode="ReadWriteOncePod"))
    resource = running.resource(namespace, 1)
    resource["spec"]["model"]["uri"] = "pvc://single/digits"
    running.apply(resource)
    stalled = running.wait_condition(namespace, "Stalled", "ClaimAccessMode")
    assert "ReadWriteOncePod" in stalled["message"]
