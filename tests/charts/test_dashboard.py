"""The Grafana dashboard: its queries name metrics that the operator exports, and are answered with data."""

import asyncio
import functools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client import parser, samples

from tests.charts import judging, rendering
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import metrics as metric
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import login
from tfserving_operator.api import reasons
from tfserving_operator.core import actions, outcomes, snapshot
from tfserving_operator.reconcile import machine

pytestmark = pytest.mark.cluster

JOB = {"job": "operator", "pod": "operator-0"}
STARTED = "2026-01-01T00:00:00Z"


@functools.cache
def dashboard() -> Any:
    """As the chart renders it."""
    found = rendering.render("metrics.dashboard.enabled=true")
    (text,) = next(
        o["data"] for o in rendering.of(found, "ConfigMap") if "dashboard" in o["metadata"]["name"]
    ).values()
    return json.loads(text)


def queries() -> list[tuple[str, str]]:
    """Each panel's title with each of its expressions."""
    panels = [p for p in dashboard()["panels"] if p["type"] != "row"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


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


@pytest.fixture(scope="module")
def exported() -> list[samples.Sample]:
    """What a whole operator exports, parsed."""
    text = asyncio.run(export())
    return [s for family in parser.text_string_to_metric_families(text) for s in family.samples]


async def export() -> str:
    """The metrics of a whole operator; it speaks to no API server, since it is not started."""
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
        use(metrics)
        return (await metrics.render()).decode()


def series_of(exported: list[samples.Sample]) -> Iterator[dict[str, str]]:
    """The samples as promtool's series: counters grow, gauges stand still."""
    for sample in exported:
        labels = ", ".join(f"{k}={json.dumps(v)}" for k, v in {**JOB, **sample.labels}.items())
        is_counter = sample.name.endswith(("_total", "_bucket", "_count", "_sum"))
        values = f"0+{sample.value:g}x240" if is_counter else f"{sample.value:g}x240"
        yield {"series": f"{sample.name}{{{labels}}}", "values": values}


def ask(exported: list[samples.Sample], expressions: list[str], folder: Path) -> None:
    """Have each answered with some data."""
    rate, everything = re.compile(r"\$__rate_interval"), re.compile(r"\$(namespace|job)\b")
    asked = [
        # promtool compares whole answers: whether there is one at all is an answer that can be told beforehand
        {
            "expr": f"count({everything.sub('.*', rate.sub('5m', expr))}) > bool 0",
            "eval_time": "3h",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expr in expressions
    ]
    tests = [{"interval": "1m", "input_series": list(series_of(exported)), "promql_expr_test": asked}]
    path = folder / "queries.yaml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": tests}))
    assert "SUCCESS" in judging.promtool("test", "rules", path)


def test_every_query_is_answered_with_data(exported: list[samples.Sample], tmp_path: Path) -> None:
    ask(exported, [expr for _, expr in queries()], tmp_path)


def test_a_query_without_an_answer_would_be_noticed(exported: list[samples.Sample], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="FAILED"):
        ask(exported, ["sum(tfserving_operator_nothing)"], tmp_path)


def test_queries_and_alerts_name_only_metrics_and_labels_that_are_exported(
    exported: list[samples.Sample],
) -> None:
    labels: dict[str, set[str]] = {}
    for sample in exported:
        labels.setdefault(sample.name, {"job", "pod"}).update(sample.labels)
    rule = rendering.one(rendering.render("metrics.prometheusRule.enabled=true"), "PrometheusRule")
    alerts = [r["expr"] for group in rule["spec"]["groups"] for r in group["rules"]]
    named = re.compile(r"\b((?:tfserving_operator|process|python)_\w+)(?:\{([^}]*)\})?")
    seen = [found for expr in [*alerts, *(expr for _, expr in queries())] for found in named.findall(expr)]
    assert len(seen) > 40
    assert {name for name, _ in seen} <= labels.keys()
    for name, matchers in seen:
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels[name], name


def test_every_metric_of_the_operator_is_looked_at_somewhere(exported: list[samples.Sample]) -> None:
    text = " ".join(expr for _, expr in queries())
    families = {re.sub(r"_(bucket|sum|count|created)$", "", s.name) for s in exported}
    ours = {name for name in families if name.startswith("tfserving_operator_")}
    assert sorted(name for name in ours if name not in text) == []


def test_a_counter_ends_in_total_a_time_in_seconds_and_information_in_info(
    exported: list[samples.Sample],
) -> None:
    for sample in exported:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", sample.name), sample.name
        if sample.name.endswith("_bucket"):
            assert sample.name.endswith("_seconds_bucket"), sample.name
        if sample.name.endswith("_info"):
            assert sample.value == 1.0, sample.name


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    made = dashboard()
    panels = made["panels"]
    assert made["schemaVersion"] >= 39
    assert made["uid"] == "tfserving-operator"
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["title"]
            assert panel["description"]
            assert all(t["refId"] for t in panel["targets"])
    variables = {variable["name"] for variable in made["templating"]["list"]}
    used = {name for _, expr in queries() for name in re.findall(r"\$(\w+)", expr)} - {"__rate_interval"}
    assert used <= variables


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
