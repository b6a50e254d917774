"""Prometheus metrics, in a registry that is handed around rather than global."""

import asyncio
from collections.abc import Callable
from typing import Final

import prometheus_client as prometheus

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEST_SECONDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """What the operator counts and times."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.PlatformCollector(registry=self.registry)
        self._requests = prometheus.Counter(
            "tfserving_operator_api_requests",
            "Requests to the Kubernetes API, 0 as the code where there was no answer.",
            ("method", "resource", "code"),
            registry=self.registry,
        )
        self._request_seconds = prometheus.Histogram(
            "tfserving_operator_api_request_seconds",
            "Time of requests to the Kubernetes API, watches left out.",
            ("method",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._events = prometheus.Counter(
            "tfserving_operator_watch_events",
            "Events received from watches, those that changed nothing among them.",
            ("resource",),
            registry=self.registry,
        )
        self._lists = prometheus.Counter(
            "tfserving_operator_lists",
            "Lists taken from the Kubernetes API.",
            ("resource",),
            registry=self.registry,
        )
        self._reconciled = prometheus.Counter(
            "tfserving_operator_reconciliations",
            "Reconciliations by result.",
            ("result",),
            registry=self.registry,
        )
        self._reconcile_seconds = prometheus.Histogram(
            "tfserving_operator_reconciliation_seconds",
            "Time of reconciliations.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._tests = prometheus.Counter(
            "tfserving_operator_smoke_tests",
            "Smoke tests by purpose, verdict (empty where it could not be run) and reason.",
            ("purpose", "verdict", "reason"),
            registry=self.registry,
        )
        self._test_seconds = prometheus.Histogram(
            "tfserving_operator_smoke_test_seconds",
            "Time of smoke tests.",
            ("purpose",),
            buckets=_TEST_SECONDS,
            registry=self.registry,
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is read when it is asked for."""
        prometheus.Gauge(f"tfserving_operator_{name}", text, registry=self.registry).set_function(read)

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

    async def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return await asyncio.to_thread(prometheus.generate_latest, self.registry)
