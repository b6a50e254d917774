from dataclasses import replace
from typing import Any

import prometheus_client
import pytest

from tests.support import workshop
from tests.support.workshop import Workshop
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants, reasons
from tfserving_operator.core import actions, snapshot
from tfserving_operator.reconcile import machine as machines

pytestmark = pytest.mark.cluster

STARTED = actions.Event(
    type=actions.EventType.Normal, reason=reasons.Reason.RevisionStarting, message="starting"
)


def with_phase(snap: snapshot.Snapshot, phase: reasons.Phase) -> Any:
    return snap.status.model_copy(update={"phase": phase, "observed_generation": snap.owner.generation})


def serve(snap: snapshot.Snapshot) -> actions.Decision:
    """A Service, a phase, and an Event when the phase changes."""
    status = with_phase(snap, reasons.Phase.Starting)
    create = () if snap.service else (actions.Create(manifest=workshop.make_service(snap)),)
    events = () if status == snap.status else (STARTED,)
    return actions.Decision(status=status, actions=create, events=events)


async def test_what_a_decision_asks_for_happens_once_and_with_no_read(shop: Workshop) -> None:
    shop.decide = serve
    made = shop.create_model()
    await shop.until(lambda: shop.read_model()["status"].get("phase") == "Starting")
    await shop.until(lambda: shop.sent[("POST", "events")])  # the last of what is sent
    await shop.settled()
    assert shop.sent == {("POST", "services"): 1, ("PATCH", "modeldeployments"): 1, ("POST", "events"): 1}
    assert len(shop.snapshots) <= 6  # its own object, its own writes, each seen at most once more
    assert shop.last.service is not None
    events = shop.list(resources.EVENTS)
    assert [(e["reason"], e["note"], e["regarding"]["uid"]) for e in events] == [
        ("RevisionStarting", "starting", made["metadata"]["uid"])
    ]


async def test_a_restart_finds_all_in_order_and_writes_nothing(shop: Workshop) -> None:
    shop.decide = serve
    shop.create_model()
    await shop.until(lambda: shop.read_model()["status"].get("phase") == "Starting")
    await shop.settled()
    await shop.stop()
    shop.snapshots.clear()
    await shop.start()
    await shop.until(lambda: shop.snapshots)
    await shop.settled()
    assert shop.last.service is not None
    assert shop.last.status.phase is reasons.Phase.Starting
    assert not shop.sent


async def test_an_object_of_somebody_else_is_left_alone_and_told_of(shop: Workshop) -> None:
    theirs = shop.create(
        resources.SERVICES,
        {"metadata": {"name": "digits"}, "spec": {"ports": [{"port": 1, "protocol": "TCP"}]}},
    )
    told: list[snapshot.Refusal] = []

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        told.extend(snap.refusals)
        return (
            actions.Decision(status=with_phase(snap, reasons.Phase.Stalled)) if snap.refusals else serve(snap)
        )

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: shop.read_model()["status"].get("phase") == "Stalled")
    await shop.settled()
    assert (told[0].kind, told[0].name, told[0].code, told[0].name_taken) == ("Service", "digits", 409, True)
    assert shop.sent == {("POST", "services"): 1, ("GET", "services"): 1, ("PATCH", "modeldeployments"): 1}
    assert shop.read(resources.SERVICES, "digits") == theirs
    assert shop.last.service is None


async def test_a_refusal_is_forgotten_when_the_spec_changes(shop: Workshop) -> None:
    shop.decide = lambda snap: (
        actions.Decision(status=snap.status)
        if snap.refusals
        else actions.Decision(
            status=snap.status,
            actions=(actions.Create(manifest=workshop.make_service(snap, type="Nonsense")),),
        )
    )
    shop.create_model()
    await shop.until(lambda: shop.snapshots and shop.last.refusals)
    assert shop.last.refusals[0].code == 422
    assert not shop.last.refusals[0].name_taken
    assert "Nonsense" in shop.last.refusals[0].message
    await shop.settled()
    assert shop.sent["POST", "services"] == 1
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: shop.sent["POST", "services"] == 2)
    await shop.until(lambda: shop.last.owner.generation == 2 and shop.last.refusals)


async def test_our_own_object_that_the_caches_do_not_show_is_adopted(shop: Workshop) -> None:
    made = shop.create_model()
    await shop.until(lambda: shop.snapshots)
    manifest = workshop.make_service(shop.last)
    del manifest["metadata"]["labels"]  # stripped by hand: no watch of ours shows it
    shop.create(resources.SERVICES, manifest)
    shop.decide = serve
    shop.patch_model({"spec": {"replicas": 2}})
    await shop.until(lambda: shop.last.service is not None)
    assert shop.last.service is not None
    assert shop.last.service.meta.owner_uid == made["metadata"]["uid"]
    await shop.settled()
    assert shop.sent["POST", "services"] == 1


async def test_drift_wakes_and_is_patched_back(shop: Workshop) -> None:
    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        made = serve(snap)
        if snap.service is None or dict(snap.service.selector) == {"a": "b"}:
            return made
        body = {"spec": {"selector": {"a": "b"}}}
        patch = actions.Patch(
            kind="Service", name=snap.service.meta.name, uid=snap.service.meta.uid, body=body
        )
        return replace(made, actions=(patch,))

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: shop.snapshots and shop.last.service)
    path = resources.SERVICES.path(namespace=shop.namespace, name="digits")
    shop.api.request("PATCH", path, {"spec": {"selector": {"a": "rejected"}}}, patch=True)
    await shop.until(lambda: shop.read(resources.SERVICES, "digits")["spec"]["selector"] == {"a": "b"}, 2.0)
    await shop.settled()
    assert shop.sent["PATCH", "services"] == 1


async def test_what_was_deleted_by_hand_comes_back(shop: Workshop) -> None:
    shop.decide = serve
    shop.create_model()
    await shop.until(lambda: shop.snapshots and shop.last.service)
    uid = shop.read(resources.SERVICES, "digits")["metadata"]["uid"]
    shop.delete(resources.SERVICES, "digits")
    await shop.until(lambda: shop.sent["POST", "services"] == 2)
    assert shop.read(resources.SERVICES, "digits")["metadata"]["uid"] != uid


async def test_what_we_delete_is_gone_for_the_next_decision(shop: Workshop) -> None:
    deleted: list[str] = []

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if snap.service is None:
            return actions.Decision(status=snap.status) if deleted else serve(snap)
        deleted.append(snap.service.meta.uid)
        delete = actions.Delete(kind="Service", name="digits", uid=snap.service.meta.uid)
        return actions.Decision(status=snap.status, actions=(delete,))

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: deleted)
    await shop.settled()
    assert len(deleted) == 1
    assert shop.sent["DELETE", "services"] == 1
    assert shop.list(resources.SERVICES) == []


async def test_a_status_that_was_overtaken_is_decided_anew_with_the_objects_as_they_are(
    shop: Workshop,
) -> None:
    touched: list[Any] = []

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if not touched:  # somebody edits the object while we decide
            touched.append(shop.patch_model({"spec": {"replicas": 3}}))
        return serve(snap)

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: shop.read_model()["status"].get("phase") == "Starting")
    await shop.settled()
    assert shop.read_model()["status"]["observedGeneration"] == 2
    assert shop.sent["PATCH", "modeldeployments"] == 2
    assert shop.sent["POST", "events"] == 1


async def test_fields_that_leave_the_status_leave_the_server_and_unknown_ones_stay(shop: Workshop) -> None:
    shop.decide = lambda snap: actions.Decision(
        status=with_phase(snap, reasons.Phase.Pending).model_copy(
            update={"selector": "a=b", "endpoints": None}
        )
    )
    shop.create_model()
    path = f"{workshop.ModelDeployments.format(shop.namespace)}/digits/status"
    await shop.until(lambda: shop.read_model()["status"].get("selector") == "a=b")
    shop.api.request("PATCH", path, {"status": {"endpoints": {"rest": "r", "grpc": "g"}}}, patch=True)
    await shop.until(lambda: "endpoints" not in shop.read_model()["status"])


async def test_only_pods_whose_owners_end_in_the_object_are_gathered(shop: Workshop) -> None:
    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        made = actions.Create(manifest=make_deployment(snap))
        return actions.Decision(status=snap.status, actions=() if snap.deployments else (made,))

    def make_deployment(snap: snapshot.Snapshot) -> dict[str, Any]:
        labels = {"app": "digits"}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": workshop.make_meta(snap, "digits-1"),
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": POD_SPEC},
            },
        }

    shop.decide = decide
    shop.create_model()
    await shop.until(lambda: shop.snapshots and shop.last.deployments)
    deployment = shop.last.deployments["digits-1"]
    labels = {constants.LABEL_MANAGED_BY: constants.MANAGED_BY, constants.LABEL_NAME: "digits"}
    ours = shop.create(
        resources.REPLICA_SETS,
        {
            "metadata": {
                "name": "rs",
                "labels": labels,
                "ownerReferences": [
                    workshop.make_owner("apps/v1", "Deployment", "digits-1", deployment.meta.uid)
                ],
            },
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": POD_SPEC},
            },
        },
    )
    rs = ours["metadata"]["uid"]
    for name, owner in (("ours", rs), ("theirs", "0" * 8)):
        refs = [workshop.make_owner("apps/v1", "ReplicaSet", "rs", owner)]
        shop.create(
            resources.PODS,
            {"metadata": {"name": name, "labels": labels, "ownerReferences": refs}, "spec": POD_SPEC},
        )
    shop.create(resources.PODS, {"metadata": {"name": "nobodys", "labels": labels}, "spec": POD_SPEC})
    await shop.until(lambda: any(shop.last.pods.values()))
    await shop.settled()
    assert [p.meta.name for p in shop.last.pods["digits-1"]] == ["ours"]


POD_SPEC = {"containers": [{"name": "c", "image": "none"}]}


async def test_a_claim_and_labelled_cases_wake_whom_they_matter_to(shop: Workshop) -> None:
    source = {"configMap": {"name": "goldens", "key": "cases.json"}}
    shop.create_model(smoke={"casesFrom": [source]})
    shop.create_model("other", model={"uri": "pvc://elsewhere/x", "version": 1})
    await shop.until(lambda: len(shop.snapshots) >= 2)
    await shop.settled()
    shop.snapshots.clear()
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    shop.create(resources.CLAIMS, {"metadata": {"name": "models"}, "spec": claim})
    await shop.until(lambda: shop.snapshots)
    assert shop.last.claim is not None
    assert shop.last.claim.access_modes == ("ReadWriteOnce",)
    assert shop.last.cases_versions == {"goldens": ""}
    labels = {constants.LABEL_SMOKE_CASES: "true"}
    made = shop.create(resources.CONFIG_MAPS, {"metadata": {"name": "goldens", "labels": labels}})
    await shop.until(lambda: shop.last.cases_versions == {"goldens": made["metadata"]["resourceVersion"]})
    assert {snap.owner.name for snap in shop.snapshots} == {"digits"}


async def test_a_failing_decision_is_tried_again_and_stops_nobody_else(shop: Workshop) -> None:
    failures: list[str] = []

    def decide(snap: snapshot.Snapshot) -> actions.Decision:
        if snap.owner.name == "digits" and len(failures) < 2:
            failures.append("failed")
            raise RuntimeError("a fault of ours")
        return serve(snap)

    shop.decide = decide
    shop.create_model()
    shop.create_model("other")
    for name in ("other", "digits"):
        await shop.until(lambda name=name: shop.read_model(name)["status"].get("phase") == "Starting")
    assert len(failures) == 2


async def test_a_decision_is_made_again_when_it_asked_to_be(shop: Workshop) -> None:
    shop.decide = lambda snap: actions.Decision(status=snap.status, requeue_after_seconds=0.05)
    shop.create_model()
    await shop.until(lambda: len(shop.snapshots) >= 5)


async def test_a_spec_that_cannot_be_read_is_told_with_its_words(shop: Workshop) -> None:
    shop.create_model(model={"uri": "pvc://models/digits", "version": 1, "name": "digits"}, replicas=0)
    await shop.until(lambda: shop.snapshots)
    raw = {**shop.read_model(), "spec": {"model": {"uri": "pvc://models/digits"}}}
    raw["metadata"] = {**raw["metadata"], "resourceVersion": "999999999", "generation": 9}
    shop.machine.known.objects.apply(raw)
    await shop.until(lambda: shop.last.spec is None)
    assert "version" in shop.last.spec_error


async def test_nothing_is_written_once_the_lease_is_lost(shop: Workshop) -> None:
    def refuse() -> None:
        raise errors.NotLeaderError("lost")

    shop.guard = refuse
    shop.decide = serve
    shop.create_model()
    await shop.until(shop.tasks[0].done)
    problem: BaseException | None = shop.tasks[0].exception()
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    assert isinstance(problem, errors.NotLeaderError)
    assert not shop.sent
    assert shop.list(resources.SERVICES) == []


async def test_the_machine_is_healthy_until_work_is_stuck(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.machine.is_synced
    assert shop.machine.ailments() == {}
    monkeypatch.setattr(machines, "SILENT_SECONDS", -1.0)
    assert {name.partition(" ")[0] for name in shop.machine.ailments()} == {"silent"}


async def test_what_becomes_of_rollouts_is_counted_once_and_shown(shop: Workshop) -> None:
    def with_revision(snap: snapshot.Snapshot, *, is_ended: bool) -> actions.Decision:
        one = {"name": "digits-1", "version": 7, "since": "2026-01-01T00:00:00Z"}
        kill = {
            "revision": "digits-1",
            "pod": "p",
            "container": "server",
            "kind": "OOMKilled",
            "time": one["since"],
        }
        candidate = {"candidateRevision": {**one, "step": "Baking"}}
        ended = {"activeRevision": one, "phase": "Ready", "resources": {"recentOOMs": [kill]}}
        status = snap.status.model_validate({"observedGeneration": 1, **(ended if is_ended else candidate)})
        return actions.Decision(status=status, requeue_after_seconds=0.05)

    def counted() -> str:
        return prometheus_client.generate_latest(shop.counted.registry).decode()

    end = 'tfserving_operator_rollouts_total{cause="",outcome="Ready",reason=""} 1.0'
    shop.decide = lambda snap: with_revision(snap, is_ended=False)
    shop.create_model()
    await shop.until(lambda: shop.read_model()["status"].get("candidateRevision"))
    assert "rollouts_total{" not in counted()
    shop.decide = lambda snap: with_revision(snap, is_ended=True)
    await shop.until(lambda: end in counted())
    before = len(shop.snapshots)
    await shop.until(lambda: len(shop.snapshots) > before + 5)  # the same status again and again
    text = counted()
    assert end in text
    assert 'tfserving_operator_rollout_step_seconds_count{step="Baking"} 1.0' in text
    assert 'tfserving_operator_oom_kills_total{kind="OOMKilled"} 1.0' in text
    assert 'tfserving_operator_modeldeployments{phase="Ready"} 1.0' in text
    assert (
        f'active_version_info{{name="digits",namespace="{shop.namespace}",revision="digits-1",version="7"}}'
        in text
    )
    assert "tfserving_operator_leading 1.0" in text
