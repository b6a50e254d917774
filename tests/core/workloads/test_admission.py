"""Model pods and their companions pass a real API server, Pod Security `restricted` included."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.cluster import api as clusters
from tests.support import commands, specs
from tfserving_operator.api import types
from tfserving_operator.core import revisions, snapshot, workloads

pytestmark = pytest.mark.cluster

NAMESPACE = "builders"
OWNER = snapshot.Owner(name="resnet", namespace=NAMESPACE, uid=specs.OWNER.uid, generation=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[clusters.Cluster]:
    found = clusters.ensure_up()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    applied = commands.kubectl(found, "apply", "-f", "-", stdin=namespace)
    assert applied.returncode == 0, applied.stderr
    try:
        waited = commands.kubectl(
            found, "wait", "serviceaccount/default", "-n", NAMESPACE, "--for=create", "--timeout=30s"
        )
        assert waited.returncode == 0, waited.stderr
        yield found
    finally:
        commands.kubectl(found, "delete", "namespace", NAMESPACE, "--wait=false")


def _build(spec: types.Spec) -> list[dict[str, Any]]:
    revision = revisions.name_of(OWNER.name, spec)
    return [
        workloads.build_deployment(
            owner=OWNER, spec=spec, policy=specs.POLICY, revision=revision, replicas=1, colocate=True
        ),
        workloads.build_config_map(owner=OWNER, spec=spec, revision=revision),
        workloads.build_service(owner=OWNER, spec=spec, active_revision=revision),
        workloads.build_pin(
            owner=OWNER,
            revision=revision,
            pinned_cases=b"[]",
            cases_digest="a",
            model_digest="b",
            model_bytes=1,
        ),
    ]


SPECS = {
    "minimal": specs.make_spec(),
    "full": types.parse_spec(specs.load_example("full")["spec"]),
    "the platform's own users": specs.make_spec(
        template={"spec": {"securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}}
    ),
}


@pytest.mark.parametrize("title", SPECS)
def test_every_object_is_accepted_as_it_is_built(cluster: clusters.Cluster, title: str) -> None:
    for manifest in _build(SPECS[title]):
        answer = commands.kubectl(
            cluster,
            *("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-"),
            stdin=manifest,
        )
        assert answer.returncode == 0, answer.stderr
        # A Deployment whose pods Pod Security would refuse is created with a warning
        assert answer.stderr == ""


def test_a_pod_that_is_not_restricted_would_be_noticed(cluster: clusters.Cluster) -> None:
    deployment = _build(SPECS["minimal"])[0]
    del deployment["spec"]["template"]["spec"]["securityContext"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
    }
    answer = commands.kubectl(cluster, "create", "--dry-run=server", "-f", "-", stdin=pod)
    assert "violates PodSecurity" in answer.stderr


@pytest.mark.parametrize("title", SPECS)
def test_its_pods_pass_pod_security_restricted(cluster: clusters.Cluster, title: str) -> None:
    template = _build(SPECS[title])[0]["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "pod", "namespace": NAMESPACE},
        "spec": template["spec"],
    }
    answer = commands.kubectl(cluster, "create", "--dry-run=server", "-f", "-", stdin=pod)
    assert answer.returncode == 0, answer.stderr
