"""A machine on a real API server whose decisions the test makes; kopf's part is played by a watch."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support import apiservers, control_plane
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import actions, snapshot
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.reconcile import machine as machines
from tfserving_operator.reconcile import reflector

ModelDeployments = "/apis/tfserving.dev/v1alpha1/namespaces/{}/modeldeployments"
Decide = Callable[[snapshot.Snapshot], actions.Decision]
Test = Callable[[plans.TestRequest, cases.ResolvedCases], Any]


def decide_nothing(snap: snapshot.Snapshot) -> actions.Decision:
    return actions.Decision(status=snap.status)


@dataclass(kw_only=True)
class Workshop:
    """One machine; set `decide` and `test` before or while it runs."""

    api: control_plane.ControlPlane
    namespace: str
    client: kube.Client
    metrics: metric.Metrics = field(default_factory=metric.Metrics)
    decide: Decide = decide_nothing
    test: Test | None = None
    guard: Callable[[], None] = kube.allow
    snapshots: list[snapshot.Snapshot] = field(default_factory=list)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requests by method and kind, since `start`; those of lists and watches are left out."""
    counted: metric.Metrics = field(init=False)
    """The machine's own metrics, since `start`."""
    machine: machines.Machine = field(init=False)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    # The machine

    async def start(self) -> None:
        """Build the machine and have it run."""
        self.counted = metric.Metrics()  # a restarted process begins at nought
        self.machine = machines.Machine(
            client=self.client.with_guard(lambda: self.guard()),  # noqa: PLW0108 - a test may set another one
            decide=self._decide,
            run_test=self._test,
            policy=snapshot.Policy(inspect_image="operator:test"),
            clock=clocks.SystemClock(),
            metrics=self.counted,
            instance="tests",
            namespaces=(self.namespace,),
        )
        watch = reflector.Reflector(
            client=self.client,
            resource=resources.MODEL_DEPLOYMENTS,
            sink=self.machine.known.objects,
            clock=clocks.SystemClock(),
            chance=random.Random(),
            observer=metric.Metrics(),
            namespace=self.namespace,
        )
        self.tasks = [asyncio.create_task(self.machine.run()), asyncio.create_task(watch.run())]
        await self.machine.wait_synced()
        self.sent.clear()

    async def stop(self) -> None:
        """End the machine."""
        await self.machine.drain()
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, BaseExceptionGroup):
                await task
        await self.machine.close()
        self.tasks = []

    def _decide(self, snap: snapshot.Snapshot, now: datetime) -> actions.Decision:
        self.snapshots.append(snap)
        return self.decide(snap)

    async def _test(self, request: plans.TestRequest, found: cases.ResolvedCases) -> plans.TestOutcome:
        assert self.test is not None
        outcome: plans.TestOutcome = await self.test(request, found)
        return outcome

    # What tests wait for

    async def until(self, look: Callable[[], Any], seconds: float = 15.0) -> Any:
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while not (seen := look()):  # noqa: ASYNC110 - anything may be waited for
                await asyncio.sleep(0.01)
        return seen

    async def settled(self) -> None:
        """Wait until nothing has been decided for a while."""
        before = -1
        while before != len(self.snapshots):
            before = len(self.snapshots)
            await asyncio.sleep(0.3)

    @property
    def last(self) -> snapshot.Snapshot:
        """What the last decision was made from."""
        return self.snapshots[-1]

    # Objects, by the administrator's hand

    def create_model(self, name: str = "digits", **spec: Any) -> Any:
        """A ModelDeployment."""
        manifest = {
            "apiVersion": constants.API_VERSION,
            "kind": constants.KIND,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "model": {"uri": "pvc://models/digits", "version": 1},
                "server": {"image": "tensorflow/serving:2.19.1"},
                "resources": {"limits": {"memory": "512Mi"}},
                **spec,
            },
        }
        return self.api.request("POST", ModelDeployments.format(self.namespace), manifest)

    def patch_model(self, body: Any, name: str = "digits") -> Any:
        """A change by a user."""
        return self.api.request(
            "PATCH", f"{ModelDeployments.format(self.namespace)}/{name}", body, patch=True
        )

    def read_model(self, name: str = "digits") -> Any:
        """The ModelDeployment as it is on the server."""
        return self.api.request("GET", f"{ModelDeployments.format(self.namespace)}/{name}")

    def delete_model(self, name: str = "digits") -> None:
        """A deletion by a user."""
        self.api.request("DELETE", f"{ModelDeployments.format(self.namespace)}/{name}")

    def create(self, resource: resources.Resource, manifest: Any) -> Any:
        """Any object."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **manifest}
        whole["metadata"] = {"namespace": self.namespace, **whole["metadata"]}
        return self.api.request("POST", resource.path(namespace=self.namespace), whole)

    def read(self, resource: resources.Resource, name: str) -> Any:
        """Any object."""
        return self.api.request("GET", resource.path(namespace=self.namespace, name=name))

    def list(self, resource: resources.Resource) -> Any:
        """All objects of a kind."""
        return self.api.request("GET", resource.path(namespace=self.namespace))["items"]

    def delete(self, resource: resources.Resource, name: str) -> None:
        """Any object."""
        self.api.request("DELETE", resource.path(namespace=self.namespace, name=name))


def make_meta(snap: snapshot.Snapshot, name: str, **annotations: str) -> dict[str, Any]:
    """Metadata of an object that the ModelDeployment controls."""
    return {
        "name": name,
        "namespace": snap.owner.namespace,
        "labels": {
            constants.LABEL_MANAGED_BY: constants.MANAGED_BY,
            constants.LABEL_NAME: snap.owner.name,
        },
        "annotations": annotations,
        "ownerReferences": [
            make_owner(constants.API_VERSION, constants.KIND, snap.owner.name, snap.owner.uid)
        ],
    }


def make_owner(api_version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    """A controlling owner."""
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def make_service(snap: snapshot.Snapshot, **spec: Any) -> dict[str, Any]:
    """The stable Service."""
    ports = [{"name": "rest", "port": 8501, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": make_meta(snap, snap.owner.name),
        "spec": {"selector": {"a": "b"}, "ports": ports, **spec},
    }


def make_config_map(
    snap: snapshot.Snapshot, name: str, data: dict[str, str], **annotations: str
) -> dict[str, Any]:
    """A ConfigMap of ours."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": make_meta(snap, name, **annotations),
        "immutable": True,
        "data": data,
    }


class _Counting:
    """Counts requests beside the metrics."""

    def __init__(self, metrics: metric.Metrics, sent: Counter[tuple[str, str]]) -> None:
        self._metrics = metrics
        self._sent = sent

    def request_done(self, *, method: str, resource: str, code: int, seconds: float) -> None:
        self._metrics.request_done(method=method, resource=resource, code=code, seconds=seconds)
        if method != "WATCH":
            self._sent[method, resource] += 1


@asynccontextmanager
async def opened(api: control_plane.ControlPlane, namespace: str) -> AsyncIterator[Workshop]:
    """A workshop with its machine running."""
    metrics, sent = metric.Metrics(), Counter[tuple[str, str]]()
    async with apiservers.connected(api.account, _Counting(metrics, sent)) as client:
        shop = Workshop(api=api, namespace=namespace, client=client, metrics=metrics, sent=sent)
        await shop.start()
        try:
            yield shop
        finally:
            await shop.stop()
