"""Smoke tests over TensorFlow Serving's REST API: what is sent, within bounds, and what is recorded."""

from tfserving_operator.adapters.serving.client import open_session
from tfserving_operator.adapters.serving.runner import run_test, run_with
from tfserving_operator.adapters.serving.workers import open_workers

__all__ = ["open_session", "open_workers", "run_test", "run_with"]
