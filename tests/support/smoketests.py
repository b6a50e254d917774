"""Smoke test requests with sensible defaults."""

from datetime import UTC, datetime
from typing import Any

from tfserving_operator.core.smoke import plans

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def request(**changed: Any) -> plans.TestRequest:
    fields: dict[str, Any] = {
        "key": "test",
        "purpose": plans.TestPurpose.Candidate,
        "namespace": "vision",
        "revision": "digits-1",
        "targets": (plans.Target(pod="digits-1-a", address="127.0.0.1:1"),),
        "control": None,
        "control_version": None,
        "model_name": "digits",
        "version": 1,
        "signature_name": "serving_default",
        "cases": plans.SpecCases(inline=(), config_maps=()),
        "checks": {},
        "load_requests": 0,
        "load_concurrency": 4,
        "timeout_seconds": 30.0,
    }
    return plans.TestRequest(**(fields | changed))
