"""The CRD on a real API server: it is accepted, and says of each input what the table says."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from local.cluster import api as clusters
from tests.support import commands, specs
from tests.support import lab as labs
from tests.support.inputs import INPUTS, Input
from tfserving_operator.api import constants, crd

pytestmark = pytest.mark.cluster

GROUP = f"admission.{constants.GROUP}"
"""A group of its own, so that an installed chart's CRD is not touched."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[clusters.Cluster]:
    found = clusters.ensure_up()
    definition = crd.build_crd()
    definition["metadata"]["name"] = f"{constants.PLURAL}.{GROUP}"
    definition["spec"]["group"] = GROUP
    definition["spec"]["names"]["shortNames"] = ["tfmda"]
    definition["spec"]["names"]["categories"] = []
    name = f"crd/{definition['metadata']['name']}"
    applied = commands.kubectl(found, "apply", "-f", "-", stdin=definition)
    assert applied.returncode == 0, applied.stderr
    try:
        # kubectl fails at once on a definition that has no status yet
        wait = ("wait", name, "--for=condition=Established", "--timeout=30s")
        labs.wait_for("the definition", lambda: commands.kubectl(found, *wait).returncode == 0)
        yield found
    finally:
        commands.kubectl(found, "delete", name, "--wait=false")


def _create(cluster: clusters.Cluster, given: Input) -> subprocess.CompletedProcess[str]:
    manifest = {
        "apiVersion": f"{GROUP}/{constants.VERSION}",
        "kind": constants.KIND,
        "metadata": {"name": given.name, "namespace": "default"},
        "spec": specs.make_raw(**given.changes),
    }
    return commands.kubectl(cluster, "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest)


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.title)
def test_the_api_server_says_what_the_table_says(cluster: clusters.Cluster, given: Input) -> None:
    answer = _create(cluster, given)
    if not given.said or given.server is None:
        assert answer.returncode == 0, answer.stderr
    else:
        assert answer.returncode != 0, answer.stdout
        assert given.server in answer.stderr


def test_only_replicas_are_filled_in_and_an_unseen_object_is_not_current(cluster: clusters.Cluster) -> None:
    answer = json.loads(_create(cluster, Input(title="minimal", changes={})).stdout)
    assert answer["spec"] == {**specs.make_raw(), "replicas": 1}
    assert answer["status"] == {"observedGeneration": -1}


def test_a_null_user_is_kept_and_other_nulls_are_dropped(cluster: clusters.Cluster) -> None:
    changes = {
        "template": {"spec": {"affinity": None, "securityContext": {"runAsUser": None}}},
        "rollout": None,
    }
    answer = json.loads(_create(cluster, Input(title="nulls", changes=changes)).stdout)
    assert answer["spec"]["template"] == {"spec": {"securityContext": {"runAsUser": None}}}
    assert "rollout" not in answer["spec"]


def test_the_full_example_is_stored_as_it_was_written(cluster: clusters.Cluster) -> None:
    document = specs.load_example("full")
    document["apiVersion"] = f"{GROUP}/{constants.VERSION}"
    document["metadata"]["namespace"] = "default"
    answer = commands.kubectl(cluster, "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=document)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["spec"] == document["spec"]
