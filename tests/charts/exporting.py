"""What a whole operator exports: it speaks to no API server, since it is not started."""

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from prometheus_client import parser, samples

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login
from tfserving_operator.api import reasons
from tfserving_operator.core import actions, outcomes, snapshot
from tfserving_operator.reconcile import machine

STARTED = "2026-01-01T00:00:00Z"


def model(name: str, phase: str, *conditions: tuple[str, str, str]) -> dict[str, Any]:
    meta = {"name": name, "namespace": "vision", "uid": name, "resourceVersion": "1", "generation": 1}
    written = [{"type": t, "status": s, "reason": r, "lastTransitionTime": STARTED} for t, s, r in conditions]
    active = {"name": f"{name}-1", "version": 1, "since": STARTED}
    status = {"observedGeneration": 1, "phase": phase, "conditions": written, "activeRevision": active}
    return {"metadata": meta, "spec": {}, "status": status}


def use(metrics: metric.Metrics) -> None:
    """Have everything happen once that is counted."""
    for outcome in outcomes.Outcome:
        metrics.rollout_ended(outcome=outcome, reason="GoldenMismatch", cause="UnscaledInput")
    for step in reasons.Step:
        metrics.step_ended(step=step, seconds=3.0)
    for verdict in reasons.Verdict:
        metrics.check_done(check="goldens", verdict=verdict)
        metrics.test_done(purpose="Candidate", verdict=verdict, reason="Passed", seconds=1.0)
    metrics.memory_killed(kind="OOMKilled")
    metrics.reconciled(result="complete", seconds=0.01)
    for method, code in (("GET", 200), ("PATCH", 409), ("POST", 503)):
        metrics.request_done(method=method, resource="pods", code=code, seconds=0.01)
    metrics.event_received(resource="pods")
    metrics.listed(resource="pods")


def build() -> metric.Metrics:
    """The metrics of an operator that knows two models, one of them stalled; nothing was counted yet."""
    return asyncio.run(_build())


async def _build() -> metric.Metrics:
    metrics = metric.Metrics()
    async with aiohttp.ClientSession() as session:
        clock = clocks.SystemClock()
        account = login.Login(server="https://127.0.0.1:1", namespace="n")
        tokens = login.TokenSource(account, clock)
        parts = machine.Machine(
            client=kube.Client(server=account.server, session=session, tokens=tokens, observer=metrics),
            decide=lambda snap, _: actions.Decision(status=snap.status),
            run_test=lambda *_: pytest.fail("nothing is tested"),
            policy=snapshot.Policy(inspect_image="operator:test"),
            clock=clock,
            metrics=metrics,
            instance="test",
            chance=random.Random(1),
        )
        parts.known.objects.apply(model("resnet", "Ready", ("Available", "True", "Serving")))
        parts.known.objects.apply(
            model("bert", "Stalled", ("Available", "False", "NotServing"), ("Stalled", "True", "ImagePull"))
        )
    return metrics


def read(metrics: metric.Metrics) -> list[samples.Sample]:
    """What it exports, parsed."""
    text = asyncio.run(metrics.render()).decode()
    return [s for family in parser.text_string_to_metric_families(text) for s in family.samples]
