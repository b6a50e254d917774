"""The `inspect` init container: reads a SavedModel before the server does, without TensorFlow."""

from tfserving_operator.inspector.command import inspect, main

__all__ = ["inspect", "main"]
