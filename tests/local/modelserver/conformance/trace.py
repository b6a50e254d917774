"""Asks a model server for a trace, as TensorFlow's profiler client does: run as a process of its own.

``python trace.py HOST:PORT FOLDER MILLISECONDS ATTEMPTS`` ends with an error when no event was traced.
"""

import importlib.util
import sys

from local.modelserver import protos

NAME = "_pywrap_profiler_plugin"
path = protos.TENSORFLOW_FOLDER / "python" / "profiler" / "internal" / f"{NAME}.so"
spec = importlib.util.spec_from_file_location(f"tensorflow.python.profiler.internal.{NAME}", path)
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)
address, folder, milliseconds, attempts = sys.argv[1:]
client.trace(address, folder, "", True, int(milliseconds), int(attempts), {})
