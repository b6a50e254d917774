"""The `inspect` init container: reads a SavedModel before the server does, without TensorFlow."""

from tfserving_operator.inspector.command import inspect, main
from tfserving_operator.inspector.limits import Limit

__all__ = ["Limit", "inspect", "main"]
