"""A simulated cluster around the pure decision: what it asks for happens, and pods do as the test says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import patching
from tfserving_operator.api import constants, reasons, types
from tfserving_operator.api import status as statuses
from tfserving_operator.core import actions, companions, inspection, observed, rollout, snapshot
from tfserving_operator.core.smoke import plans

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = snapshot.Policy(inspect_image="operator:test")


def make_spec(version: int = 1, **changes: Any) -> dict[str, Any]:
    """A spec as users write it; nested changes by keyword, merged one level deep."""
    raw: dict[str, Any] = {
        "model": {"uri": "pvc://models/digits", "version": version},
        "server": {"image": "tensorflow/serving:2.19.1"},
        "resources": {"limits": {"memory": "512Mi"}},
        "smoke": {"cases": [{"name": "one", "instances": [[0.0]]}], "repeatSeconds": 0},
        "rollout": {"bakeSeconds": 60, "progressDeadlineSeconds": 300},
    }
    for key, value in changes.items():
        raw[key] = {**raw.get(key, {}), **value} if isinstance(value, Mapping) else value
    return raw


def make_meta(name: str, *, revision: str = "", owner_uid: str = "owner-uid") -> observed.ObjectMeta:
    return observed.ObjectMeta(
        name=name,
        namespace="vision",
        uid=f"uid-of-{name}",
        owner_uid=owner_uid,
        model_deployment="digits",
        revision=revision,
        resource_version="1",
        deleting=False,
    )


def make_container(name: str, **changes: Any) -> observed.Container:
    plain = observed.Container(
        name=name,
        init=False,
        ready=False,
        running=False,
        waiting_reason="",
        waiting_message="",
        restart_count=0,
        terminated=None,
        last_terminated=None,
    )
    return replace(plain, **changes)


def make_termination(
    reason: str, exit_code: int, at: datetime, message: str = "", container_id: str = ""
) -> observed.Termination:
    return observed.Termination(
        reason=reason,
        exit_code=exit_code,
        message=message,
        finished_at=at,
        container_id=container_id or f"containerd://{at.isoformat()}",
    )


INSPECTED = inspection.render(inspection.build(version=1, digest="sha256:abc", variable_bytes=1000)).decode()


def make_pod(name: str, revision: str, at: datetime) -> observed.Pod:
    inspector = make_container(
        constants.CONTAINER_INSPECT, init=True, terminated=make_termination("Completed", 0, at, INSPECTED)
    )
    return observed.Pod(
        meta=make_meta(name, revision=revision, owner_uid=f"rs-of-{revision}"),
        phase="Running",
        reason="",
        message="",
        ip="10.0.0.1",
        node="node",
        ready=False,
        scheduled=True,
        unschedulable_message="",
        created_at=at,
        containers=(inspector, make_container(constants.CONTAINER_SERVER, running=True)),
    )


@dataclass
class World:
    """A cluster with one ModelDeployment named digits in namespace vision."""

    raw_spec: dict[str, Any]
    now: datetime = START
    generation: int = 1
    status: statuses.Status = field(default_factory=statuses.Status)
    deployments: dict[str, observed.Deployment] = field(default_factory=dict)
    config_maps: dict[str, observed.ConfigMap] = field(default_factory=dict)
    pods: dict[str, tuple[observed.Pod, ...]] = field(default_factory=dict)
    service: observed.Service | None = None
    claim: observed.Claim | None = field(
        default_factory=lambda: observed.Claim(
            meta=make_meta("models"), phase="Bound", access_modes=("ReadOnlyMany",)
        )
    )
    beside: dict[str, companions.Companion] = field(default_factory=dict)
    """By kind."""
    tests: dict[str, plans.TestState] = field(default_factory=dict)
    requests: dict[str, plans.TestRequest] = field(default_factory=dict)
    refusals: tuple[snapshot.Refusal, ...] = ()
    peaks: dict[str, int] = field(default_factory=dict)
    events: list[actions.Event] = field(default_factory=list)
    done: list[actions.Action] = field(default_factory=list)
    status_writes: int = 0
    decisions: int = 0
    crash_at: int | None = None
    """The decision after whose actions, and before whose status write, the operator is killed."""
    wake: float | None = None
    pod_number: int = 0

    def snapshot(self) -> snapshot.Snapshot:
        return snapshot.Snapshot(
            owner=snapshot.Owner(
                name="digits", namespace="vision", uid="owner-uid", generation=self.generation
            ),
            spec=types.parse_spec(self.raw_spec),
            status=self.status,
            policy=POLICY,
            deployments=dict(self.deployments),
            config_maps=dict(self.config_maps),
            pods=dict(self.pods),
            service=self.service,
            budget=self.beside.get("PodDisruptionBudget"),
            network_policy=self.beside.get("NetworkPolicy"),
            claim=self.claim,
            tests=dict(self.tests),
            refusals=self.refusals,
            peaks=dict(self.peaks),
        )

    def step(self) -> bool:
        """One decision, carried out. Whether anything came of it."""
        decision = rollout.decide(self.snapshot(), self.now)
        self.decisions += 1
        for action in decision.actions:
            self._do(action)
        self.done += decision.actions
        if self.crash_at == self.decisions:
            self.tests.clear()
            return True
        changed = decision.status.to_wire() != self.status.to_wire()
        self.status = decision.status
        self.status_writes += changed
        self.events += decision.events
        self.wake = decision.requeue_after_seconds
        return changed or bool(decision.actions) or self.wake == 0

    def settle(self) -> None:
        """Decide until nothing moves any more."""
        for _ in range(30):
            if not self.step():
                return
        raise AssertionError(f"never settles: {self.status.to_wire()}, {self.done[-5:]}")

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.settle()

    def apply(self, version: int, **changes: Any) -> None:
        """The user applies another spec."""
        self.raw_spec = make_spec(version, **changes)
        self.generation += 1
        self.settle()

    def become_ready(self, revision: str) -> None:
        """The kubelet: the server of every pod of a revision answers."""
        self.pods[revision] = tuple(
            replace(
                p,
                ready=True,
                containers=(p.containers[0], make_container("server", running=True, ready=True)),
            )
            for p in self.pods[revision]
        )
        self.settle()

    def kill(
        self, revision: str, *, reason: str = "OOMKilled", exit_code: int = 137, message: str = ""
    ) -> None:
        """The kernel: the server of a revision's first pod ends, and is started again by the kubelet."""
        first, *rest = self.pods[revision]
        server = first.containers[-1]
        ended = make_termination(reason, exit_code, self.now, message)
        server = replace(
            server, ready=False, running=True, last_terminated=ended, restart_count=server.restart_count + 1
        )
        killed = replace(first, ready=False, containers=(first.containers[0], server))
        self.pods[revision] = (killed, *rest)
        self.settle()

    def answer(
        self, verdict: reasons.Verdict | None, reason: str = "Passed", message: str = "", *, cause: str = ""
    ) -> None:
        """The running tests end."""
        for key, state in list(self.tests.items()):
            if state.outcome is None:
                self.tests[key] = plans.TestState(
                    started_at=state.started_at,
                    outcome=plans.TestOutcome(
                        verdict=verdict,
                        reason=reason,
                        message=message,
                        cause=cause,
                        cases_digest="digest",
                        pinned_cases=b"[]",
                        started_at=state.started_at,
                        finished_at=self.now,
                    ),
                )
        self.settle()

    def roll_out(self, *, bake: bool = True) -> str:
        """The wanted revision becomes Ready, passes and, where asked for, bakes to its end."""
        candidate = self.status.candidate_revision
        assert candidate is not None, self.status.to_wire()
        self.now += timedelta(seconds=5)
        self.become_ready(candidate.name)
        self.answer(reasons.Verdict.Pass)
        if bake:
            self.after(3)
            self.answer(reasons.Verdict.Pass)
            self.after(60)
            self.answer(reasons.Verdict.Pass)
            self.after(1)
        return candidate.name

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(c for c in self.status.conditions if c.type == kind)
        return found.status, found.reason

    def selected(self) -> str:
        assert self.service is not None
        return dict(self.service.selector)[constants.LABEL_REVISION]

    def replicas(self) -> dict[int, int]:
        """Replicas asked for, by model version."""
        return {d.version: d.replicas for d in self.deployments.values()}

    def active_version(self) -> int | None:
        return self.status.active_revision.version if self.status.active_revision else None

    def _do(self, action: actions.Action) -> None:
        match action:
            case actions.Create(manifest=manifest):
                self._create(manifest)
            case actions.PinCases(manifest=manifest):
                self._create(manifest)
            case actions.Patch(kind=kind, name=name, body=body):
                self._patch(kind, name, body)
            case actions.Delete(kind="PodDisruptionBudget" as kind):
                del self.beside[kind]
            case actions.Delete(kind=kind, name=name):
                gone = self.deployments if kind == "Deployment" else self.config_maps
                gone.pop(name)
            case actions.StartTest(request=request):
                assert request.key not in self.tests, "a test was started twice"
                self.tests[request.key] = plans.TestState(started_at=self.now)
                self.requests[request.key] = request

    def _create(self, manifest: Mapping[str, Any]) -> None:
        raw = {
            **manifest,
            "metadata": {**manifest["metadata"], "uid": f"uid-of-{manifest['metadata']['name']}"},
        }
        raw["metadata"]["creationTimestamp"] = self.now.isoformat()
        match manifest["kind"]:
            case "Deployment":
                deployment = observed.deployment_from_raw(raw)
                assert deployment.meta.name not in self.deployments
                self.deployments[deployment.meta.name] = deployment
                self._run_pods(deployment)
            case "Service":
                raw["spec"]["clusterIP"] = "10.96.0.9"
                self.service = observed.service_from_raw(raw)
            case "ConfigMap":
                config_map = observed.config_map_from_raw(raw)
                self.config_maps[config_map.meta.name] = config_map
            case kind:
                assert kind not in self.beside
                self.beside[kind] = companions.companion_from_raw(raw)

    def _patch(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        if kind == "Deployment":
            self.deployments[name] = replace(self.deployments[name], replicas=body["spec"]["replicas"])
            self._run_pods(self.deployments[name])
            return
        if kind in self.beside:
            live = self.beside[kind]
            after = patching.apply(json.loads(live.spec), body["spec"])
            self.beside[kind] = replace(live, spec=json.dumps(after, sort_keys=True, separators=(",", ":")))
            return
        assert self.service is not None
        selector = dict(self.service.selector) | body.get("spec", {}).get("selector", {})
        annotations = dict(self.service.annotations) | body.get("metadata", {}).get("annotations", {})
        self.service = replace(
            self.service,
            type=body.get("spec", {}).get("type", self.service.type),
            selector=tuple(sorted((k, v) for k, v in selector.items() if v is not None)),
            annotations=tuple(sorted((k, v) for k, v in annotations.items() if v is not None)),
        )

    def _run_pods(self, deployment: observed.Deployment) -> None:
        name = deployment.meta.name
        ended = tuple(p for p in self.pods.get(name, ()) if p.phase == "Failed")  # a ReplicaSet leaves them
        pods = tuple(p for p in self.pods.get(name, ()) if p.phase != "Failed")[: deployment.replicas]
        while len(pods) < deployment.replicas:
            self.pod_number += 1
            pods = (*pods, make_pod(f"{name}-{self.pod_number}", name, self.now))
        self.pods[name] = (*ended, *pods)
