"""The Grafana dashboard: its queries name metrics that the operator exports, and are answered with data."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import samples

from tests.charts import exporting, judging, rendering

pytestmark = pytest.mark.cluster

JOB = {"job": "operator", "pod": "operator-0"}


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


@pytest.fixture(scope="module")
def exported() -> list[samples.Sample]:
    """What a whole operator exports, parsed."""
    metrics = exporting.build()
    exporting.use(metrics)
    return exporting.read(metrics)


def filled(expression: str) -> str:
    """A query with Grafana's variables filled in: everything, and five minutes."""
    return re.sub(r"\$(namespace|job)\b", ".*", expression.replace("$__rate_interval", "5m"))


def series_of(exported: list[samples.Sample]) -> Iterator[dict[str, str]]:
    """The samples as promtool's series: counters grow, gauges stand still."""
    for sample in exported:
        labels = ", ".join(f"{k}={json.dumps(v)}" for k, v in {**JOB, **sample.labels}.items())
        is_counter = sample.name.endswith(("_total", "_bucket", "_count", "_sum"))
        values = f"0+{sample.value:g}x240" if is_counter else f"{sample.value:g}x240"
        yield {"series": f"{sample.name}{{{labels}}}", "values": values}


def ask(exported: list[samples.Sample], expressions: list[str], folder: Path) -> None:
    """Have each answered with some data."""
    asked = [
        # promtool compares whole answers: whether there is one at all is an answer that can be told beforehand
        {
            "expr": f"count({filled(expr)}) > bool 0",
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
