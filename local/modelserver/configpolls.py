"""The model config file, read again from time to time."""

import threading
import time
from typing import Final

from local.modelserver import configs, errors, logs, manager

_WHERE: Final = "model_servers/server.cc"


def start(servables: manager.Servables, path: str, interval_seconds: int) -> None:
    """Read the file now and at every interval; nothing is read at an interval of 0 or below, or without a file.

    What cannot be read or served is logged, and what was served before goes on.
    """
    if interval_seconds > 0 and path:
        threading.Thread(
            target=_run, args=(servables, path, interval_seconds), name="config", daemon=True
        ).start()


def _run(servables: manager.Servables, path: str, interval_seconds: int) -> None:
    while True:
        begin = time.monotonic()
        _reload(servables, path)
        time.sleep(max(begin + interval_seconds - time.monotonic(), 0))


def _reload(servables: manager.Servables, path: str) -> None:
    try:
        config = configs.read_file(path)
    except errors.ServingError as error:
        _complain(f"Failed to read ModelServerConfig file: {error.message}")
        return
    try:
        servables.reload(configs.from_proto(config))
    except errors.ServingError as error:
        _complain(f"PollFilesystemAndReloadConfig failed to ReloadConfig: {error.message}")


def _complain(message: str) -> None:
    logs.log(_WHERE, message, severity=logs.Severity.ERROR)
