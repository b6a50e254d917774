"""Prometheus metrics, in a registry that is handed around rather than global."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import prometheus_client as prometheus
from prometheus_client import metrics_core as families

import tfserving_operator
from tfserving_operator.api import reasons

_PREFIX: Final = "tfserving_operator_"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEST_SECONDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TROUBLES: Final = ("retried", "refused", "failed")
_KILLS: Final = tuple(reasons.KillKind)
"""Counters that alerts read are there from the beginning: one that begins at 1 has no increase."""
_STEP_SECONDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

Values = Mapping[tuple[str, ...], float]
"""Of a gauge with labels: by the labels' values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Gauges:
    """A gauge with labels whose values are read when they are asked for: one that is gone shows no more."""

    name: str
    text: str
    labels: tuple[str, ...]
    read: Callable[[], Values]

    def describe(self) -> Iterable[families.Metric]:
        """What the registry is told at first, so that it refuses a name that is taken."""
        yield families.GaugeMetricFamily(self.name, self.text, labels=self.labels)

    def collect(self) -> Iterable[families.Metric]:
        """What is there right now."""
        family = families.GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for values, number in self.read().items():
            family.add_metric(values, number)
        yield family


class Metrics:
    """What the operator counts and times."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.PlatformCollector(registry=self.registry)
        self._requests = self._counter(
            "api_requests",
            "Requests to the Kubernetes API, 0 as the code where there was no answer.",
            "method",
            "resource",
            "code",
        )
        self._request_seconds = self._histogram(
            "api_request_seconds", "Time of requests to the Kubernetes API, watches left out.", "method"
        )
        self._events = self._counter(
            "watch_events",
            "Events received from watches, those that changed nothing among them.",
            "resource",
        )
        self._lists = self._counter("lists", "Lists taken from the Kubernetes API.", "resource")
        self._reconciled = self._counter("reconciliations", "Reconciliations by result.", "result")
        self._reconcile_seconds = self._histogram("reconciliation_seconds", "Time of reconciliations.")
        for result in _TROUBLES:
            self._reconciled.labels(result)
        version: Values = {(tfserving_operator.__version__,): 1.0}
        self.gauges("build_info", "The operator's version; always 1.", "version", read=lambda: version)
        self._add_tests()
        self._add_rollouts()

    def _add_tests(self) -> None:
        self._tests = self._counter(
            "smoke_tests",
            "Smoke tests by purpose, verdict (empty where it could not be run) and reason.",
            "purpose",
            "verdict",
            "reason",
        )
        self._test_seconds = self._histogram(
            "smoke_test_seconds", "Time of smoke tests.", "purpose", buckets=_TEST_SECONDS
        )
        self._checks = self._counter("smoke_checks", "Checks of smoke tests by verdict.", "check", "verdict")

    def _add_rollouts(self) -> None:
        self._rollouts = self._counter(
            "rollouts",
            "Rollouts that ended, by outcome, and for failures by reason and cause.",
            "outcome",
            "reason",
            "cause",
        )
        self._step_seconds = self._histogram(
            "rollout_step_seconds", "Time that candidates spent in a step.", "step", buckets=_STEP_SECONDS
        )
        self._kills = self._counter("oom_kills", "Model servers that ran out of memory, by kind.", "kind")
        for kind in _KILLS:
            self._kills.labels(kind)

    def _counter(self, name: str, text: str, *labels: str) -> prometheus.Counter:
        return prometheus.Counter(f"{_PREFIX}{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
    ) -> prometheus.Histogram:
        return prometheus.Histogram(f"{_PREFIX}{name}", text, labels, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is read when it is asked for."""
        prometheus.Gauge(f"{_PREFIX}{name}", text, registry=self.registry).set_function(read)

    def gauges(self, name: str, text: str, *labels: str, read: Callable[[], Values]) -> None:
        """Add a gauge with labels whose values are read, in another thread, when they are asked for."""
        self.registry.register(_Gauges(name=f"{_PREFIX}{name}", text=text, labels=labels, read=read))

    def request_done(self, *, method: str, resource: str, code: int, seconds: float) -> None:
        """One request to the Kubernetes API ended."""
        self._requests.labels(method, resource, str(code)).inc()
        if method != "WATCH":
            self._request_seconds.labels(method).observe(seconds)

    def event_received(self, *, resource: str) -> None:
        """One event of a watch came in."""
        self._events.labels(resource).inc()

    def listed(self, *, resource: str) -> None:
        """One list was taken."""
        self._lists.labels(resource).inc()

    def reconciled(self, *, result: str, seconds: float) -> None:
        """One reconciliation ended."""
        self._reconciled.labels(result).inc()
        self._reconcile_seconds.observe(seconds)

    def test_done(self, *, purpose: str, verdict: str, reason: str, seconds: float) -> None:
        """One smoke test ended."""
        self._tests.labels(purpose, verdict, reason).inc()
        self._test_seconds.labels(purpose).observe(seconds)

    def check_done(self, *, check: str, verdict: str) -> None:
        """One check of a smoke test said something."""
        self._checks.labels(check, verdict).inc()

    def rollout_ended(self, *, outcome: str, reason: str, cause: str) -> None:
        """One rollout ended."""
        self._rollouts.labels(outcome, reason, cause).inc()

    def step_ended(self, *, step: str, seconds: float) -> None:
        """One step of a rollout ended."""
        self._step_seconds.labels(step).observe(seconds)

    def memory_killed(self, *, kind: str) -> None:
        """One model server ran out of memory."""
        self._kills.labels(kind).inc()

    async def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return await asyncio.to_thread(prometheus.generate_latest, self.registry)
