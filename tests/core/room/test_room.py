"""Room in a namespace and on its nodes, by tables of raw API objects."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from tfserving_operator.core import room, snapshot, surroundings


def _meta(name: str) -> dict[str, Any]:
    return {"name": name, "uid": f"uid-{name}", "namespace": "vision"}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> snapshot.Surroundings:
    raw = {
        "metadata": _meta("team"),
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used or {}},
    }
    return snapshot.Surroundings(quotas=(surroundings.resource_quota_from_raw(raw),))


def limit_range(kind: str = "Container", **rules: dict[str, str]) -> snapshot.Surroundings:
    raw = {"metadata": _meta("bounds"), "spec": {"limits": [{"type": kind, **rules}]}}
    return snapshot.Surroundings(limit_ranges=(surroundings.limit_range_from_raw(raw),))


def node(
    name: str, *, taints: list[dict[str, str]] | None = None, labels: dict[str, str] | None = None, **has: str
) -> surroundings.Node:
    raw = {
        "metadata": {"name": name, "uid": name, "labels": labels or {}},
        "spec": {"taints": taints or []},
        "status": {
            "allocatable": {"cpu": "8", "memory": "16Gi", **{k.replace("_", "."): v for k, v in has.items()}}
        },
    }
    return surroundings.node_from_raw(raw)


def nodes(*found: surroundings.Node) -> snapshot.Surroundings:
    return snapshot.Surroundings(nodes=found)


def _said(around: snapshot.Surroundings, **changes: Any) -> list[str]:
    asked = {"resources": {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "1"}}, "replicas": 2}
    spec = specs.make_spec(**{**asked, **changes})
    return [f"{shortage.reason}: {shortage.message}" for shortage in room.shortages(spec, around)]


BESIDE = "which run beside those of the active one,"


@pytest.mark.parametrize(
    ("around", "said"),
    [
        (snapshot.Surroundings(), []),
        (quota({"limits.memory": "8Gi"}), []),
        (
            quota({"limits.memory": "12Gi"}, {"limits.memory": "8Gi"}),
            [f"ResourceQuota team leaves 4Gi of limits.memory, and 2 pods of this revision, {BESIDE} need 8Gi: short by 4Gi"],
        ),
        (
            quota({"limits.memory": "1Gi"}, {"limits.memory": "8Gi"}),
            [f"ResourceQuota team leaves 0Mi of limits.memory, and 2 pods of this revision, {BESIDE} need 8Gi: short by 8Gi"],
        ),
        (
            quota({"requests.cpu": "3"}, {"requests.cpu": "1500m"}),
            [f"ResourceQuota team leaves 1500m of requests.cpu, and 2 pods of this revision, {BESIDE} need 2: short by 500m"],
        ),
        (
            quota({"cpu": "1"}),
            [f"ResourceQuota team leaves 1 of cpu, and 2 pods of this revision, {BESIDE} need 2: short by 1"],
        ),
        (
            quota({"pods": "3"}, {"pods": "2"}),
            [f"ResourceQuota team leaves 1 of pods, and 2 pods of this revision, {BESIDE} need 2: short by 1"],
        ),
        (
            quota({"count/deployments.apps": "2"}, {"count/deployments.apps": "2"}),
            [f"ResourceQuota team leaves 0 of count/deployments.apps, and 2 pods of this revision, {BESIDE} need 1: short by 1"],
        ),
        (quota({"services": "0", "persistentvolumeclaims": "0", "requests.storage": "0"}), []),
        (quota({"limits.memory": "1"}, scopes=["Terminating"]), []),
        (quota({"limits.memory": "1"}, scopes=["BestEffort"]), []),
        (quota({"limits.memory": "1"}, scopes=["CrossNamespacePodAffinity"]), []),
        (
            quota({"pods": "1"}, scopes=["NotTerminating"]),
            [f"ResourceQuota team leaves 1 of pods, and 2 pods of this revision, {BESIDE} need 2: short by 1"],
        ),
        (
            quota(
                {"pods": "1"},
                scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
            ),
            [],
        ),
        (
            quota(
                {"pods": "1"},
                scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]},
            ),
            [f"ResourceQuota team leaves 1 of pods, and 2 pods of this revision, {BESIDE} need 2: short by 1"],
        ),
    ],
)  # fmt: skip
def test_a_quota_must_have_room_for_the_revision_beside_the_active_one(
    around: snapshot.Surroundings, said: list[str]
) -> None:
    assert _said(around) == [f"QuotaExceeded: {each}" for each in said]


WIDE = {
    "resources": {
        "limits": {
            "cpu": "1",
            "memory": "1Gi",
            "ephemeral-storage": "2Gi",
            "hugepages-2Mi": "4Mi",
            "nvidia.com/gpu": "2",
        },
        "requests": {"ephemeral-storage": "1Gi"},
    }
}
"""What a revision may ask for beside CPU and memory; two replicas of it."""


@pytest.mark.parametrize(
    ("around", "said"),
    [
        (quota({"requests.nvidia.com/gpu": "4", "limits.ephemeral-storage": "4Gi", "requests.hugepages-2Mi": "8Mi"}), []),
        (
            quota({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "2"}),
            [f"QuotaExceeded: ResourceQuota team leaves 2 of requests.nvidia.com/gpu, and 2 pods of this revision, {BESIDE} need 4: short by 2"],
        ),
        (
            quota({"requests.ephemeral-storage": "1Gi"}),
            [f"QuotaExceeded: ResourceQuota team leaves 1Gi of requests.ephemeral-storage, and 2 pods of this revision, {BESIDE} need 2Gi: short by 1Gi"],
        ),
        (
            quota({"limits.ephemeral-storage": "3Gi"}),
            [f"QuotaExceeded: ResourceQuota team leaves 3Gi of limits.ephemeral-storage, and 2 pods of this revision, {BESIDE} need 4Gi: short by 1Gi"],
        ),
        (
            # The API server itself makes the maximum the default
            limit_range(max={"ephemeral-storage": "1Gi"}, default={"ephemeral-storage": "1Gi"}),
            ["PodsRefused: LimitRange bounds allows at most 1Gi of ephemeral-storage for a container, and spec.resources has a limit of 2Gi"],
        ),
        (
            nodes(node("a", **{"ephemeral-storage": "10Gi", "hugepages-2Mi": "4Mi"})),
            ["Unschedulable: a pod asks for 2 of nvidia.com/gpu, and a, the node with the most of those that its selectors and tolerations admit, has 0: short by 2"],
        ),
        (
            nodes(node("a", **{"ephemeral-storage": "10Gi", "nvidia_com/gpu": "2"})),
            ["Unschedulable: a pod asks for 4Mi of hugepages-2Mi, and a, the node with the most of those that its selectors and tolerations admit, has 0Mi: short by 4Mi"],
        ),
    ],
)  # fmt: skip
def test_storage_huge_pages_and_devices_count_like_cpu_and_memory(
    around: snapshot.Surroundings, said: list[str]
) -> None:
    assert _said(around, **WIDE) == said


def test_a_quota_on_limits_asks_for_limits() -> None:
    limits = {"resources": {"limits": {"memory": "1Gi", "cpu": None}}}
    # The inspect container has a limit of cpu; the server's is what is missing
    assert _said(quota({"limits.cpu": "8"}), **limits) == [
        "QuotaExceeded: ResourceQuota team counts limits.cpu, and spec.resources does not name it: add it"
    ]


@pytest.mark.parametrize(
    ("around", "said"),
    [
        (limit_range(max={"memory": "4Gi"}), []),
        (
            limit_range(max={"memory": "2Gi"}),
            ["LimitRange bounds allows at most 2Gi of memory for a container, and spec.resources has a limit of 4Gi"],
        ),
        (
            limit_range("Pod", max={"cpu": "1"}),
            ["LimitRange bounds allows at most 1 of cpu for a pod, and the pod has a limit of 2"],
        ),
        (
            limit_range(min={"cpu": "500m"}),
            ["LimitRange bounds asks for at least 500m of cpu for a container, and the inspect container requests 250m"],
        ),
        (
            limit_range(maxLimitRequestRatio={"cpu": "1"}),
            [
                "LimitRange bounds allows a cpu limit of 1 times the request, and that of spec.resources is 2 times: "
                "raise the request or lower the limit"
            ],
        ),
        (
            limit_range(max={"nvidia.com/gpu": "4"}),
            [
                "LimitRange bounds bounds nvidia.com/gpu for a container, and spec.resources has no limit of nvidia.com/gpu: add one",
                "LimitRange bounds bounds nvidia.com/gpu for a container, and the inspect container has no limit of nvidia.com/gpu: add one",
            ],
        ),
        (limit_range("PersistentVolumeClaim", max={"storage": "1"}), []),
    ],
)  # fmt: skip
def test_a_limit_range_must_allow_the_containers(around: snapshot.Surroundings, said: list[str]) -> None:
    assert _said(around) == [f"PodsRefused: {each}" for each in said]


def test_the_defaults_of_a_limit_range_count_as_the_containers_own() -> None:
    given = limit_range(default={"cpu": "16"}, defaultRequest={"cpu": "12"})
    around = snapshot.Surroundings(limit_ranges=given.limit_ranges, nodes=(node("a"),))
    said = _said(around, resources={"limits": {"memory": "4Gi", "cpu": None}, "requests": None})
    assert said == [
        "Unschedulable: a pod asks for 12 of cpu, and a, the node with the most of those that its selectors and "
        "tolerations admit, has 8: short by 4"
    ]


@pytest.mark.parametrize(
    ("around", "changes", "said"),
    [
        (nodes(), {}, []),
        (nodes(node("a", memory="2Gi"), node("b", memory="4Gi")), {}, []),
        (
            nodes(node("a", memory="2Gi"), node("b", memory="3Gi")),
            {},
            [
                "a pod asks for 4Gi of memory, and b, the node with the most of those that its selectors and tolerations "
                "admit, has 3Gi: short by 1Gi"
            ],
        ),
        (
            nodes(node("a", memory="2Gi"), node("b", cpu="500m")),
            {},
            ["no node has 1 of cpu, 4Gi of memory at once: 2 nodes admit the pod, each short of something"],
        ),
        (
            nodes(node("a")),
            {"resources": {"limits": {"memory": "1Gi", "nvidia.com/gpu": "1"}}},
            [
                "a pod asks for 1 of nvidia.com/gpu, and a, the node with the most of those that its selectors and "
                "tolerations admit, has 0: short by 1"
            ],
        ),
        (nodes(node("a", memory="2Gi", labels={"pool": "x"})), {"template": {"spec": {"nodeSelector": {"pool": "y"}}}}, []),
        (nodes(node("a", memory="2Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}])), {}, []),
        (
            nodes(node("a", memory="2Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}])),
            {"template": {"spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}}},
            [
                "a pod asks for 4Gi of memory, and a, the node with the most of those that its selectors and tolerations "
                "admit, has 2Gi: short by 2Gi"
            ],
        ),
        (
            nodes(node("a", memory="64Gi", labels={"zone": "1"}), node("b", memory="1Gi", labels={"zone": "2"})),
            {
                "template": {
                    "spec": {
                        "affinity": {
                            "nodeAffinity": {
                                "requiredDuringSchedulingIgnoredDuringExecution": {
                                    "nodeSelectorTerms": [
                                        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["2"]}]}
                                    ]
                                }
                            }
                        }
                    }
                }
            },
            [
                "a pod asks for 4Gi of memory, and b, the node with the most of those that its selectors and tolerations "
                "admit, has 1Gi: short by 3Gi"
            ],
        ),
    ],
)  # fmt: skip
def test_some_node_must_be_large_enough(
    around: snapshot.Surroundings, changes: dict[str, Any], said: list[str]
) -> None:
    assert _said(around, **changes) == [f"Unschedulable: {each}" for each in said]


@pytest.mark.parametrize(
    ("toleration", "is_admitted"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations_admit_as_the_scheduler_does(toleration: dict[str, str], is_admitted: bool) -> None:
    small = node("a", memory="1Gi", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    said = _said(nodes(small), template={"spec": {"tolerations": [toleration]}})
    assert bool(said) == is_admitted


TEXT = st.one_of(
    st.none(), st.text(max_size=5), st.integers(), st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)


@given(
    hard=st.dictionaries(st.sampled_from(["pods", "limits.memory", "requests.cpu", "x/y"]), st.sampled_from(["1", "bad", "-1", "1e99"])),
    used=st.dictionaries(st.sampled_from(["pods", "limits.memory"]), st.sampled_from(["1", "", "7Gi"])),
)  # fmt: skip
def test_quotas_never_raise_and_never_ask_for_less_than_nothing(
    hard: dict[str, str], used: dict[str, str]
) -> None:
    for said in _said(quota(hard, used)):
        assert "short by -" not in said
        assert "short by 0" not in said
