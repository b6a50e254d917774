"""What a revision's pods are made of."""

from typing import Any

import pytest

from tests.support import specs
from tfserving_operator.api import constants
from tfserving_operator.core import observed, snapshot, workloads

REVISION = "resnet-5f2c9d1a"


def _build(
    changes: dict[str, Any] | None = None, *, policy: snapshot.Policy = specs.POLICY, colocate: bool = False
) -> dict[str, Any]:
    return workloads.build_deployment(
        owner=specs.OWNER,
        spec=specs.make_spec(**changes or {}),
        policy=policy,
        revision=REVISION,
        replicas=2,
        colocate=colocate,
    )


def _pod(changes: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    spec: dict[str, Any] = _build(changes, **given)["spec"]["template"]["spec"]
    return spec


def _flags(changes: dict[str, Any] | None = None) -> dict[str, str]:
    (server,) = _pod(changes)["containers"]
    return dict(argument.removeprefix("--").split("=", 1) for argument in server["args"])


def test_labels_and_annotations_of_users_never_take_the_place_of_ours() -> None:
    theirs = {constants.LABEL_REVISION: "other", constants.LABEL_NAME: "other", "team": "vision"}
    built = _build({"template": {"metadata": {"labels": theirs}}})
    assert built["spec"]["template"]["metadata"]["labels"] == {
        "team": "vision",
        constants.LABEL_MANAGED_BY: constants.MANAGED_BY,
        constants.LABEL_NAME: "resnet",
        constants.LABEL_REVISION: REVISION,
    }
    assert "team" not in built["metadata"]["labels"]
    assert (
        built["spec"]["selector"]["matchLabels"].items()
        <= built["spec"]["template"]["metadata"]["labels"].items()
    )


def test_what_is_built_is_what_is_observed() -> None:
    raw = _build()
    raw["metadata"] |= {"uid": "1", "resourceVersion": "1", "generation": 1}
    seen = observed.deployment_from_raw(raw)
    assert (seen.version, seen.memory_limit, seen.model_name, seen.signature_name, seen.replicas) == (
        7, "1Gi", "resnet", "serving_default", 2,
    )  # fmt: skip
    assert (seen.meta.revision, seen.meta.model_deployment, seen.meta.owner_uid) == (
        REVISION, "resnet", specs.OWNER.uid,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "want"),
    [
        ({"cpu": "1"}, ("16", "16", "1", "1")),
        ({"cpu": "500m"}, ("16", "16", "1", "1")),
        ({"cpu": "3500m"}, ("16", "16", "4", "4")),
        ({"cpu": 8}, ("32", "32", "8", "8")),
        ({}, ("64", "64", None, None)),
    ],
)
def test_threads_follow_the_cpu_limit_because_the_server_looks_at_the_nodes_cores(
    limits: dict[str, Any], want: tuple[str | None, ...]
) -> None:
    flags = _flags({"resources": {"limits": limits}})
    names = (
        "rest_api_num_threads",
        "grpc_max_threads",
        "tensorflow_intra_op_parallelism",
        "tensorflow_inter_op_parallelism",
    )
    assert tuple(flags.get(name) for name in names) == want


def test_users_flags_outrank_computed_ones_and_never_those_that_the_operator_owns() -> None:
    flags = _flags({"server": {"flags": {"grpc_max_threads": "99", "port": "1", "enable_profiler": "true"}}})
    assert (flags["grpc_max_threads"], flags["port"], flags["enable_profiler"]) == ("99", "8500", "false")


@pytest.mark.parametrize(
    ("context", "want"),
    [
        (None, (65532, 65532, 65532)),
        ({"runAsUser": 1000}, (1000, 65532, 65532)),
        ({"runAsUser": None, "runAsGroup": None, "fsGroup": None}, (None, None, None)),
    ],
)
def test_user_and_groups_have_a_default_and_a_null_leaves_them_to_the_platform(
    context: dict[str, Any] | None, want: tuple[int | None, ...]
) -> None:
    built = _pod({"template": {"spec": {"securityContext": context}}})["securityContext"]
    assert tuple(built.get(name) for name in ("runAsUser", "runAsGroup", "fsGroup")) == want
    assert built["runAsNonRoot"] is True
    assert built["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "supplementalGroups" not in built


def test_a_token_is_mounted_only_for_an_account_that_is_named() -> None:
    assert _pod()["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in _pod()
    named = _pod({"template": {"spec": {"serviceAccountName": "reader"}}})
    assert (named["automountServiceAccountToken"], named["serviceAccountName"]) == (True, "reader")


def test_pods_drain_by_a_sleep_and_not_at_all_when_the_drain_is_0() -> None:
    (server,) = _pod()["containers"]
    assert server["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    (server,) = _pod(policy=snapshot.Policy(inspect_image="x", drain_seconds=0))["containers"]
    assert "lifecycle" not in server


def test_a_claim_for_one_node_brings_pods_to_the_node_of_the_others_beside_the_users_own_affinity() -> None:
    theirs = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [theirs]}}
    ours = {
        "labelSelector": {"matchLabels": {constants.LABEL_NAME: "resnet"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    changes = {"template": {"spec": {"affinity": affinity}}}
    assert _pod(changes)["affinity"] == affinity
    assert _pod(changes, colocate=True)["affinity"] == {
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [theirs, ours]}
    }
    assert _pod(colocate=True)["affinity"] == {
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [ours]}
    }
    assert "affinity" not in _pod()


@pytest.mark.parametrize(
    ("uri", "folder"), [("pvc://m/a/b", "/models/a/b"), ("pvc://m", "/models"), ("pvc://m/", "/models")]
)
def test_server_and_inspector_look_into_the_same_folder(uri: str, folder: str) -> None:
    changes = {"model": {"uri": uri}}
    (inspect,) = _pod(changes)["initContainers"]
    assert inspect["command"][inspect["command"].index("--model-dir") + 1] == folder
    config = workloads.build_config_map(owner=specs.OWNER, spec=specs.make_spec(**changes), revision=REVISION)
    assert f'base_path: "{folder}"' in config["data"]["models.config"]
    assert {mount["mountPath"] for mount in inspect["volumeMounts"] if mount["name"] == "model"} == {
        "/models"
    }


def test_a_path_cannot_break_out_of_the_text_proto() -> None:
    spec = specs.make_spec(model={"uri": 'pvc://m/a" } config { name: "b\\é'})
    text = workloads.build_config_map(owner=specs.OWNER, spec=spec, revision=REVISION)["data"][
        "models.config"
    ]
    assert r'base_path: "/models/a\" } config { name: \"b\\é"' in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"resourcePolicy": "Enforce"}, []),
        ({"resourcePolicy": "Warn"}, ["--resource-policy", "Warn"]),
        ({"resources": {"limits": {"memory": "1Gi", "nvidia.com/gpu": "1"}}}, ["--weights-elsewhere"]),
        ({"server": {"flags": {"prefer_tflite_model": "true"}}}, ["--weights-elsewhere"]),
        ({"server": {"flags": {"prefer_tflite_model": "false"}}}, []),
    ],
)
def test_the_inspector_is_told_only_what_is_not_the_default(changes: dict[str, Any], told: list[str]) -> None:
    (inspect,) = _pod(changes)["initContainers"]
    assert inspect["command"][10:] == told
    limit = inspect["env"][0]["valueFrom"]["resourceFieldRef"]
    assert (limit["containerName"], limit["resource"]) == ("server", "limits.memory")
