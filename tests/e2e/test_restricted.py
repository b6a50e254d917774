"""Pod Security `restricted` is enforced where the operator and the models are, and the chart's own pod passes it."""

import copy
import json
from typing import Any

import pytest
import yaml

from tests.support import lab as labs

pytestmark = pytest.mark.e2e


def created(lab: labs.Lab, pod: dict[str, Any]) -> str:
    """What the API server's admission says to a pod, "" where it takes it; it is not kept."""
    done = lab.in_network(
        *("kubectl", "create", "--dry-run=server", "-f", "-"), input=json.dumps(pod), check=False
    )
    return str(done.stderr)


@pytest.fixture
def pod(lab: labs.Lab) -> dict[str, Any]:
    """The operator's pod as the release has it."""
    manifest = lab.access.helm("get", "manifest", labs.RELEASE, "--namespace", labs.SYSTEM)
    (deployment,) = (d for d in yaml.safe_load_all(manifest) if d and d["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "operator", "namespace": labs.SYSTEM}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_the_operators_own_pod_passes(lab: labs.Lab, pod: dict[str, Any]):
    assert created(lab, pod) == ""


def test_what_is_not_restricted_is_refused_in_every_namespace_of_these_tests(
    lab: labs.Lab, pod: dict[str, Any]
):
    loose = copy.deepcopy(pod)
    del loose["spec"]["containers"][0]["securityContext"]
    del loose["spec"]["serviceAccountName"]
    for namespace in (labs.SYSTEM, *lab.namespaces):
        loose["metadata"]["namespace"] = namespace
        assert 'violates PodSecurity "restricted' in created(lab, loose), namespace
