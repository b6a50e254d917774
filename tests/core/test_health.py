"""What pods tell, and whether the model is to blame."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import worlds
from tfserving_operator.api import reasons
from tfserving_operator.core import health, inspection, kills

R = reasons.Reason
POD = worlds.make_pod("digits-a-1", "digits-a", worlds.START)


def pod_with(server=None, inspector=None, **changes):
    first, last = POD.containers
    return replace(POD, containers=(inspector or first, server or last), **changes)


def server(reason="", exit_code=0, *, last=False, message="", **changes):
    ended = worlds.make_termination(reason, exit_code, worlds.START, message)
    where = {"last_terminated": ended, "running": True} if last else {"terminated": ended}
    return worlds.make_container("server", **where, **changes)


def inspector(reason, exit_code, message=""):
    ended = worlds.make_termination(reason, exit_code, worlds.START, message)
    return worlds.make_container("inspect", init=True, terminated=ended)


def report(reason):
    return inspection.render(inspection.build(reason, "a sentence")).decode()


CASES = {
    "a pod that runs": (POD, None, None),
    "killed by the kernel, now": (pod_with(server("OOMKilled", 137)), R.OOMKilled, True),
    "killed by the kernel, started again": (pod_with(server("OOMKilled", 137, last=True)), R.OOMKilled, True),
    "killed without the reason": (pod_with(server("Error", 137)), R.OOMKilled, True),
    "refuses the model once": (
        pod_with(server("Error", 255, message="Failed to start server. Error: x", restart_count=0)),
        R.ModelLoadFailed,
        False,
    ),
    "refuses the model again": (
        pod_with(server("Error", 255, message="Failed to start server. Error: x", restart_count=1)),
        R.ModelLoadFailed,
        True,
    ),
    "aborts twice": (pod_with(server("Error", 134, last=True, restart_count=2)), R.ServerCrashed, True),
    "the inspector out of memory": (pod_with(inspector=inspector("OOMKilled", 137)), R.InspectorOOM, False),
    "no version folder": (
        pod_with(inspector=inspector("Error", 71, report(R.ModelNotFound))),
        R.ModelNotFound,
        False,
    ),
    "no SavedModel": (
        pod_with(inspector=inspector("Error", 72, report(R.ModelInvalid))),
        R.ModelInvalid,
        False,
    ),
    "other files than passed": (
        pod_with(inspector=inspector("Error", 73, report(R.ModelChanged))),
        R.ModelChanged,
        False,
    ),
    "the inspector's own fault": (
        pod_with(inspector=inspector("Error", 1, "Traceback")),
        R.InspectionFailed,
        False,
    ),
    "no image": (
        pod_with(worlds.make_container("server", waiting_reason="ImagePullBackOff")),
        R.ImagePull,
        False,
    ),
    "an image without a user": (
        pod_with(worlds.make_container("server", waiting_reason="CreateContainerConfigError")),
        R.PodsRefused,
        False,
    ),
    "no node": (
        replace(POD, unschedulable_message="0/1 nodes are available: 1 Insufficient memory."),
        R.Unschedulable,
        False,
    ),
    "a volume elsewhere": (
        replace(POD, unschedulable_message="1 node(s) had volume node affinity conflict"),
        R.VolumeNodeConflict,
        False,
    ),
    "a volume elsewhere, since 1.34": (
        replace(POD, unschedulable_message="1 node(s) didn't match PersistentVolume's node affinity."),
        R.VolumeNodeConflict,
        False,
    ),
    "a claim without a volume": (
        replace(POD, unschedulable_message="pod has unbound immediate PersistentVolumeClaims"),
        R.ClaimNotBound,
        False,
    ),
    "a claim that went": (
        replace(POD, unschedulable_message='persistentvolumeclaim "models" not found'),
        R.ClaimMissing,
        False,
    ),
    "a pod of ours on its way out": (
        replace(pod_with(server("OOMKilled", 137)), meta=replace(POD.meta, deleting=True)),
        None,
        None,
    ),
    "evicted beyond its own request": (
        replace(
            POD,
            phase="Failed",
            reason="Evicted",
            message="The node was low on resource: memory. Container server was using 3Gi, request is 1Gi",
        ),
        R.OOMKilled,
        True,
    ),
}


@pytest.mark.parametrize(("pod", "want_reason", "want_about_model"), CASES.values(), ids=CASES.keys())
def test_a_pod_tells(pod, want_reason, want_about_model):
    found = health.problems(None, [pod])
    first = found[0] if found else None
    assert (first.reason if first else None) == want_reason
    assert (first.about_model if first else None) == want_about_model


def test_evidence_about_the_model_comes_first():
    image = pod_with(worlds.make_container("server", waiting_reason="ErrImagePull"))
    kill = pod_with(server("OOMKilled", 137))
    assert [p.reason for p in health.problems(None, [image, kill])] == [R.OOMKilled, R.ImagePull]


@pytest.mark.parametrize(
    ("message", "want"),
    [
        ('pods "x" is forbidden: exceeded quota: team, requested: limits.memory=1Gi', R.QuotaExceeded),
        ('pods "x" is forbidden: failed quota: team: must specify limits.cpu', R.QuotaExceeded),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', R.PodsRefused),
        ("maximum memory usage per Container is 1Gi", R.PodsRefused),
    ],
)
def test_an_admission_is_told_by_its_text(message, want):
    assert health.refused(message).reason is want


def test_the_present_and_the_last_kill_of_a_pod_are_both_seen():
    twice = replace(
        server("OOMKilled", 137), last_terminated=worlds.make_termination("OOMKilled", 137, worlds.START)
    )
    assert len(kills.seen([pod_with(twice)])) == 2


KUBELET = "The node was low on resource: ephemeral-storage. Container server was using 3Gi, request is 0"


@pytest.mark.parametrize(
    ("reason", "message"),
    [("Evicted", KUBELET), ("Terminated", "Pod was terminated in response to imminent node shutdown.")],
)
@pytest.mark.parametrize("exit_code", [137, 143])
def test_a_server_that_the_kubelet_ended_is_no_evidence(reason, message, exit_code):
    ended = server("Error", exit_code, restart_count=3)
    pod = pod_with(ended, phase="Failed", reason=reason, message=message)
    assert health.problems(None, [pod]) == ()


def test_a_node_that_came_back_is_no_crash():
    pod = pod_with(server("Unknown", 255, last=True, restart_count=3))
    assert health.problems(None, [pod]) == ()


def test_what_the_kubelet_ended_before_is_passed_over():
    pod = CASES["evicted beyond its own request"][0]
    ended = replace(pod, ended_at=worlds.START)
    later = worlds.START + timedelta(seconds=1)
    assert health.problems(None, [ended], since=later) == ()
    assert len(health.problems(None, [ended], since=worlds.START)) == 1


def test_a_refused_model_is_told_with_its_cause_and_without_the_servers_log():
    said = "Failed to start server. Error: NOT_FOUND: Op type not registered 'Secret' in binary"
    pod = pod_with(server("Error", 255, message=said, restart_count=1))

    (problem,) = health.problems(None, (pod,), since=None)

    assert (problem.reason, problem.cause) == (R.ModelLoadFailed, "OpMissing")
    assert "use a server image that has this op" in problem.message
    assert "Secret" not in problem.message
