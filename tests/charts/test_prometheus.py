"""A real Prometheus scrapes what an operator exports, answers the dashboard and takes the rules."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import requests
import yaml

from local.charts import tools
from tests.charts import exporting, rendering, test_dashboard
from tests.support import control_plane

pytestmark = pytest.mark.cluster

SCRAPES = 4
"""As many as rates and increases need, and one to spare."""


class Prometheus:
    """A running one."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self._url}/{path}", params=parameters, timeout=10)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


def wait_for(look: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if look():
                return
        except requests.ConnectionError:
            pass
        assert time.monotonic() < end, "not in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has scraped a working operator for some seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    metrics, ended = exporting.build(), threading.Event()
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry=metrics.registry)

    def work() -> None:
        while not ended.wait(0.2):
            exporting.use(metrics)

    worker = threading.Thread(target=work)
    worker.start()
    (port,) = control_plane.free_ports(1)
    process = start(folder, port, server.server_port)
    try:
        there = Prometheus(port)
        wait_for(lambda: len(there.query(f"count_over_time(up[1m]) >= {SCRAPES}")))
        yield there
    finally:
        process.terminate()
        process.wait(20)
        ended.set()
        worker.join()
        server.shutdown()
        server.server_close()
        thread.join()


def start(folder: Path, port: int, target: int) -> subprocess.Popen[bytes]:
    rules = rendering.one(rendering.render("metrics.prometheusRule.enabled=true"), "PrometheusRule")
    monitor = rendering.one(rendering.render("metrics.serviceMonitor.enabled=true"), "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    job = {
        "job_name": "operator",
        "metrics_path": endpoint["path"],
        "honor_labels": endpoint["honorLabels"],
        "static_configs": [
            {"targets": [f"127.0.0.1:{target}"], "labels": {"namespace": "system", "pod": "op-0"}}
        ],
    }
    written = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [job],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(written))
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [
                tools.ensure_prometheus() / "prometheus",
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def test_every_query_of_the_dashboard_is_answered_with_data(prometheus: Prometheus) -> None:
    silent = [
        (title, expr)
        for title, expr in test_dashboard.queries()
        if not prometheus.query(test_dashboard.filled(expr))
    ]
    assert silent == []


def test_the_dashboards_variables_have_values(prometheus: Prometheus) -> None:
    for variable in test_dashboard.dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
            assert prometheus.ask(f"label/{label}/values", **{"match[]": metric}), variable["name"]


def test_the_namespace_is_the_models_and_not_the_operators(prometheus: Prometheus) -> None:
    (found,) = prometheus.query("tfserving_operator_modeldeployment_stalled")
    assert (found["metric"]["namespace"], found["metric"]["name"]) == ("vision", "bert")
    (leading,) = prometheus.query("tfserving_operator_leading")
    assert leading["metric"]["namespace"] == "system"


def test_every_rule_is_loaded_and_healthy(prometheus: Prometheus) -> None:
    wait_for(lambda: all(r["health"] == "ok" for g in prometheus.ask("rules")["groups"] for r in g["rules"]))
    loaded = {r["name"] for g in prometheus.ask("rules")["groups"] for r in g["rules"]}
    rules = rendering.one(rendering.render("metrics.prometheusRule.enabled=true"), "PrometheusRule")
    assert loaded == {r["alert"] for g in rules["spec"]["groups"] for r in g["rules"]}


def test_an_alert_becomes_pending_for_the_model_that_is_stalled(prometheus: Prometheus) -> None:
    def pending() -> list[Any]:
        return prometheus.query('ALERTS{alertname="ModelDeploymentStalled", alertstate="pending"}')

    wait_for(pending)
    (alert,) = pending()
    assert (alert["metric"]["namespace"], alert["metric"]["name"]) == ("vision", "bert")
