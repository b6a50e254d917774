"""kopf's settings: it supplies events and never writes to an object."""

import itertools
import logging
import random
from collections.abc import Iterable, Iterator
from typing import Any, Final

import kopf
from typing_extensions import override

WATCH_SILENCE_SECONDS: Final = 75.0
"""The API server sends a bookmark about every minute."""
BACKOFF_CAP_SECONDS: Final = 30.0
CHUNK: Final = 200
EVENT_WORKERS: Final = 50
"""Handlers only fill a cache; a slot is free again after `IDLE_SECONDS`."""
IDLE_SECONDS: Final = 0.05


class Backoffs(Iterable[float]):
    """Delays for ever: doubling, capped, jittered. kopf's own end after a minute, and with them the process."""

    @override
    def __iter__(self) -> Iterator[float]:
        chance = random.Random()  # noqa: S311 - jitter
        for attempt in itertools.count():
            ceiling = min(BACKOFF_CAP_SECONDS, 0.25 * 2.0 ** min(attempt, 10))
            yield ceiling * chance.uniform(0.5, 1.0)


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing of the last handled state: there are no handlers that would need it."""

    @override
    def build(self, **_: Any) -> Any:
        return {}

    @override
    def fetch(self, **_: Any) -> None:
        return None

    @override
    def store(self, **_: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: there are none that would need it."""

    @override
    def fetch(self, **_: Any) -> None:
        return None

    @override
    def store(self, **_: Any) -> None:
        return None

    @override
    def purge(self, **_: Any) -> None:
        return None

    @override
    def touch(self, **_: Any) -> None:
        return None

    @override
    def clear(self, *, essence: Any) -> Any:
        return essence


def build_settings() -> kopf.OperatorSettings:
    """Settings under which kopf survives faults of the API, and is quick and quiet."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.level = logging.WARNING
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.inactivity_timeout = WATCH_SILENCE_SECONDS
    settings.watching.connect_timeout = 10.0
    settings.watching.chunk_size = CHUNK
    settings.queueing.worker_limit = EVENT_WORKERS
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = Backoffs()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    return settings
