"""How often one request is repeated, and how long it waits in between."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from tfserving_operator.adapters import errors

ATTEMPTS: Final = 3
"""Of one request. Callers are level-triggered and come again later, with a growing delay of their own."""
WAIT_BASE_SECONDS: Final = 0.1
WAIT_CAP_SECONDS: Final = 2.0

T = TypeVar("T")
_log = structlog.stdlib.get_logger(__name__)


async def repeat(attempt: Callable[[], Awaitable[T]]) -> T:
    """Make an attempt, and again after what may work later; the last error is raised, each one is logged."""
    for number in range(1, ATTEMPTS):
        try:
            return await attempt()
        except errors.GoneError:
            raise
        except errors.TransientError as error:
            seconds = max(
                random.uniform(0.5, 1.0) * WAIT_BASE_SECONDS * 2.0**number,  # noqa: S311 - jitter
                min(error.retry_after_seconds, WAIT_CAP_SECONDS),
            )
            _log.warning("repeating a request to the Kubernetes API", attempt=number, error=error.message)
        await asyncio.sleep(seconds)
    return await attempt()
