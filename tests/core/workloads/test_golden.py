"""Golden manifests of everything that belongs to a ModelDeployment."""

import base64
import gzip

from tests.support import golden, specs
from tfserving_operator.api import types
from tfserving_operator.core import revisions, snapshot, workloads


def _objects(spec: types.Spec, *, policy: snapshot.Policy, colocate: bool) -> list[dict[str, object]]:
    revision = revisions.name_of(specs.OWNER.name, spec)
    return [
        workloads.build_service(owner=specs.OWNER, spec=spec, active_revision=None),
        workloads.build_config_map(owner=specs.OWNER, spec=spec, revision=revision),
        workloads.build_deployment(
            owner=specs.OWNER,
            spec=spec,
            policy=policy,
            revision=revision,
            replicas=spec.replicas,
            colocate=colocate,
        ),
    ]


def test_the_minimal_example_becomes_these_objects() -> None:
    golden.assert_golden("minimal.yaml", *_objects(specs.make_spec(), policy=specs.POLICY, colocate=False))


def test_the_full_example_becomes_these_objects() -> None:
    spec = types.parse_spec(specs.load_example("full")["spec"])
    policy = snapshot.Policy(
        inspect_image="tfserving-operator:0.1.0", image_pull_policy="Always", drain_seconds=10
    )
    golden.assert_golden("full.yaml", *_objects(spec, policy=policy, colocate=True))


def test_a_pass_is_recorded_in_this_config_map() -> None:
    golden.assert_golden(
        "pin.yaml",
        workloads.build_pin(
            owner=specs.OWNER,
            revision="resnet-5f2c9d1a",
            pinned_cases=b'[{"instances":[[0.1,0.2]],"name":"cat"}]',
            cases_digest="0123456789abcdef",
            model_digest="sha256:fedcba9876543210",
            model_bytes=1048576,
        ),
    )


def test_a_long_smoke_input_is_recorded_as_bytes() -> None:
    packed = gzip.compress(b"cases", mtime=0)
    pin = workloads.build_pin(
        owner=specs.OWNER,
        revision="resnet-5f2c9d1a",
        pinned_cases=packed,
        cases_digest="0123456789abcdef",
        model_digest="sha256:fedcba9876543210",
    )
    assert base64.b64decode(pin["binaryData"]["cases.json.gz"]) == packed
    assert pin["data"] == {"model-digest": "sha256:fedcba9876543210"}
