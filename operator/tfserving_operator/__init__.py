"""The Kubernetes operator for TensorFlow Serving.

Layers, each importing only from those below it: ``handlers`` (kopf), ``reconcile`` (gather, execute, queue),
``adapters`` (all I/O), ``core`` (pure decisions), ``api`` (what users write and read).
"""

__version__ = "0.1.0"
