"""Another release of the operator, by helm in the cluster, and back: models that serve notice nothing of it."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tfserving_operator
from local.demo import installation
from local.progress import Progress
from tests.support import clients, newer_operator, releases
from tests.support import lab as labs
from tfserving_operator.api import constants

pytestmark = pytest.mark.e2e

NAMESPACE = "e2e-upgrade"
GOOD, CONSTANT, RETRAINED = 1, 2, 6
"""Versions of the digits."""
IN_CLUSTER = ("replicas=1", "policy.drainSeconds=2")
"""Values of a release that runs in the cluster rather than beside it."""
BAKE_SECONDS = 25
"""Long enough for an upgrade to fall into it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """Three ModelDeployments: one that serves, one that was rolled back, one that moves."""

    lab: labs.Lab

    def apply(self, name: str, version: int, **rollout: Any) -> None:
        resource = self.lab.resource(NAMESPACE, version)
        resource["metadata"]["name"] = name
        resource["spec"]["rollout"] |= rollout
        self.lab.apply(resource)

    def wait(self, name: str, kind: str, reason: str) -> None:
        self.lab.wait_condition(NAMESPACE, kind, reason, name=name)

    def url(self, name: str) -> str:
        address = self.lab.get("service", NAMESPACE, name)["spec"]["clusterIP"]
        return f"http://{address}:{constants.PORT_REST}/v1/models/digits:predict"

    def resource_version(self, name: str) -> str:
        """It changes with every write, one of the status too."""
        return str(self.lab.get(labs.RESOURCE, NAMESPACE, name)["metadata"]["resourceVersion"])

    def verdict(self, name: str) -> dict[str, Any]:
        """What was found about the version that was rejected last, without names and times."""
        status = self.lab.status(NAMESPACE, name)
        rejected = status["rejectedRevisions"][0]
        failed = {check["name"] for check in status["smoke"]["checks"] if check["verdict"] == "Fail"}
        found = {key: rejected.get(key) for key in ("version", "reason", "cause")}
        return {**found, "failed": failed, "verdict": status["smoke"]["verdict"]}

    def pods(self) -> dict[str, int]:
        """Restarts by UID and name of the model pods that are there."""
        said = json.loads(self.lab.access.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))
        return {
            f"{pod['metadata']['uid']} {pod['metadata']['name']}": sum(
                status["restartCount"] for status in pod["status"].get("containerStatuses", [])
            )
            for pod in said["items"]
            if "deletionTimestamp" not in pod["metadata"]
        }

    def revisions(self) -> set[str]:
        return set(self.lab.names("deployments", NAMESPACE))


@pytest.fixture(scope="module")
def previous(lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[releases.Release]:
    """The previous release, which runs in the cluster; the lab's own installation comes back in the end."""
    release = releases.previous(tmp_path_factory.mktemp("previous"))
    installation.load_images(lab.cluster, Progress(name="e2e"), release.build)
    lab.stop()
    lab.install(release.build.name, *IN_CLUSTER, chart=release.chart)
    try:
        yield release
    finally:
        lab.stop()
        lab.install(lab.operator_image)


def running_version(lab: labs.Lab) -> str:
    """Of the operator in the cluster, which is asked itself; the one that it replaced may still be ending."""
    pods = json.loads(lab.access.kubectl("get", "pods", "-n", labs.SYSTEM, "-o", "json"))["items"]
    (name,) = (p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"])
    said = lab.access.kubectl("exec", "-n", labs.SYSTEM, name, "--", "tfserving-operator", "--version")
    return said.split()[-1]


@pytest.fixture(scope="module")
def fleet(lab: labs.Lab, previous: releases.Release) -> Fleet:
    """Started by the previous release: every version of it has its verdict but that of the one that moves."""
    lab.make_namespace(NAMESPACE)
    made = Fleet(lab=lab)
    for name in ("steady", "rejected", "moving"):
        made.apply(name, GOOD)
    for name in ("steady", "rejected", "moving"):
        made.wait(name, "Ready", "RevisionReady")
    made.apply("rejected", CONSTANT)
    made.wait("rejected", "Stalled", "RolledBack")
    return made


def test_an_upgrade_and_the_way_back_restart_nothing_fail_no_request_and_change_no_verdict(
    lab: labs.Lab, fleet: Fleet, previous: releases.Release
):
    current = tfserving_operator.__version__
    assert running_version(lab) == previous.version != current
    untouched = {name: fleet.resource_version(name) for name in ("steady", "rejected")}
    verdict, served = fleet.verdict("rejected"), fleet.pods()
    urls = {name: fleet.url(name) for name in ("steady", "rejected", "moving")}
    with clients.asking(lab.cluster, urls, {"instances": [[0.0] * 64]}) as answers:
        fleet.apply("moving", RETRAINED, bakeSeconds=BAKE_SECONDS)
        fleet.wait("moving", "Ready", "Baking")
        baking = fleet.pods()

        lab.install(lab.operator_image, *IN_CLUSTER)
        assert running_version(lab) == current
        fleet.wait("moving", "Ready", "RevisionReady")
        proven = fleet.revisions()

        fleet.apply("moving", CONSTANT)
        lab.access.helm("rollback", labs.RELEASE, "--namespace", labs.SYSTEM, "--wait")
        assert running_version(lab) == previous.version
        fleet.wait("moving", "Stalled", "RolledBack")
        labs.wait_for("the pods of what serves", lambda: len(fleet.pods()) == len(served))
        after = fleet.pods()
    print("asked:", answers.sent, "pods:", after)
    assert answers.failures == {name: [] for name in urls}
    assert min(answers.sent.values()) > 100
    assert set(after.values()) == {0}
    assert after.keys() <= baking.keys(), "a pod was replaced"
    assert len(served.keys() - after.keys()) == 1, "only the version that was replaced has gone"
    assert {name: fleet.resource_version(name) for name in untouched} == untouched
    assert fleet.verdict("moving") == verdict
    assert len(fleet.revisions() - proven) == 1
    assert fleet.lab.status(NAMESPACE, "moving")["activeRevision"]["version"] == RETRAINED


def test_an_operator_with_a_newer_hash_algorithm_goes_on_with_the_pods_that_are_there(
    lab: labs.Lab, fleet: Fleet
):
    """As a process beside the cluster: it is a program that exists only for this test."""
    pods, revisions = fleet.pods(), fleet.revisions()
    untouched = {name: fleet.resource_version(name) for name in ("steady", "rejected", "moving")}
    lab.install(lab.operator_image)
    labs.wait_for("the operator in the cluster to be gone", lambda: not operators_in_cluster(lab), seconds=60)
    lab.start(sys.executable, Path(newer_operator.__file__))
    lab.wait_synced()
    fleet.apply("steady", RETRAINED, bakeSeconds=BAKE_SECONDS)
    fleet.wait("steady", "Ready", "Baking")
    del untouched["steady"]
    assert {name: fleet.resource_version(name) for name in untouched} == untouched
    (made,) = fleet.revisions() - revisions
    assert made.startswith(f"deployment.apps/steady-{newer_operator.LETTER}")
    fleet.apply("steady", GOOD)
    fleet.wait("steady", "Ready", "RevisionReady")
    assert fleet.revisions() - revisions == {made}, "the old revision is found under its old name"
    assert pods.keys() <= fleet.pods().keys(), "and by its old pod"


def operators_in_cluster(lab: labs.Lab) -> str:
    return lab.access.kubectl("get", "pods", "-n", labs.SYSTEM, "-o", "name")
