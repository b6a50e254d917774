"""What the operator exports: by Prometheus' conventions, with labels that have few values, and nothing forgotten."""

import asyncio
import subprocess

import pytest
from prometheus_client import samples

from local.charts import tools
from tests.charts import exporting
from tfserving_operator.adapters import metrics as metric

pytestmark = pytest.mark.cluster

PREFIX = "tfserving_operator_"
ASKED_FOR = {
    "rollouts_total": {"outcome", "reason", "cause"},
    "rollout_step_seconds_bucket": {"step", "le"},
    "smoke_test_seconds_bucket": {"purpose", "le"},
    "smoke_checks_total": {"check", "verdict"},
    "oom_kills_total": {"kind"},
    "active_version_info": {"namespace", "name", "revision", "version"},
    "queue_depth": set(),
    "queue_oldest_seconds": set(),
    "api_requests_total": {"method", "resource", "code"},
    "reconciliation_seconds_bucket": {"le"},
    "reconciliations_total": {"result"},
}
"""What a person on call asks for, with the labels that it is told apart by."""

ONE_SERIES_EACH = {
    "active_version_info",
    "modeldeployment_available",
    "modeldeployment_stalled",
}
"""The only metrics that grow with the number of ModelDeployments."""


@pytest.fixture(scope="module")
def metrics() -> metric.Metrics:
    made = exporting.build()
    exporting.use(made)
    return made


@pytest.fixture(scope="module")
def exported(metrics: metric.Metrics) -> list[samples.Sample]:
    return exporting.read(metrics)


def test_promtool_finds_nothing_against_conventions(metrics: metric.Metrics) -> None:
    text = asyncio.run(metrics.render())
    command = [str(tools.ensure_prometheus() / "promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("name", ASKED_FOR)
def test_what_is_asked_for_on_call_is_there(name: str, exported: list[samples.Sample]) -> None:
    (labels,) = {frozenset(s.labels) for s in exported if s.name == PREFIX + name}
    assert labels == ASKED_FOR[name]


def test_only_the_state_of_each_modeldeployment_has_a_series_for_each(exported: list[samples.Sample]) -> None:
    names = {s.name.removeprefix(PREFIX) for s in exported if {"namespace", "name", "pod"} & set(s.labels)}
    assert names == ONE_SERIES_EACH
