"""Smoke tests over TensorFlow Serving's REST API: what is sent, within bounds, and what is recorded."""

from tfserving_operator.adapters.serving.client import open_session
from tfserving_operator.adapters.serving.runner import run_test

__all__ = ["open_session", "run_test"]
