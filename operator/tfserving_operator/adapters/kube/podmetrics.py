"""What the servers of model pods take of memory now, where the cluster serves `metrics.k8s.io`."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import quantities

TIMEOUT_SECONDS: Final = 5.0
"""Of one question. Nobody waits for the answer, but questions are asked one at a time."""
SILENT_SECONDS: Final = 600.0
"""After a refusal: an API that is not there costs one request in this time."""
FIRST_SILENT_SECONDS: Final = 30.0
"""After a question without an answer; four times as long after each further one, up to `SILENT_SECONDS`."""

_log = structlog.stdlib.get_logger(__name__)


class PodMetrics:
    """Asks one question at a time, each once, and none for a while after one that was not answered."""

    def __init__(self, *, client: kube.Client, clock: clocks.Clock) -> None:
        self._client = client
        self._clock = clock
        self._silent_until = clock.monotonic()
        self._next_silence = FIRST_SILENT_SECONDS
        self._turn = asyncio.Lock()

    async def working_sets(self, namespace: str, revision: str) -> Mapping[str, int]:
        """Bytes of the server's container, by pod of a revision; those that are too young are not there."""
        async with self._turn:
            if self._clock.monotonic() < self._silent_until:
                return {}
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    answer = await self._client.ask(
                        resources.POD_METRICS,
                        namespace=namespace,
                        selector=f"{constants.LABEL_REVISION}={revision}",
                    )
                found = parse(answer)
            except (errors.PermanentError, ValueError) as error:
                return self._without(error, SILENT_SECONDS)
            except (errors.AdapterError, TimeoutError) as error:
                seconds, self._next_silence = self._next_silence, min(4 * self._next_silence, SILENT_SECONDS)
                return self._without(error, seconds)
            self._next_silence = FIRST_SILENT_SECONDS
            return found

    def _without(self, error: Exception, seconds: float) -> Mapping[str, int]:
        self._silent_until = self._clock.monotonic() + seconds
        _log.debug("no pod metrics", error=repr(error), silent_seconds=seconds)
        return {}


def parse(answer: kube.Raw) -> Mapping[str, int]:
    """Bytes of the server's container by pod, out of a PodMetricsList.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        return {
            item["metadata"]["name"]: int(quantities.parse_quantity(container["usage"]["memory"]))
            for item in answer["items"] or ()
            for container in item["containers"]
            if container["name"] == constants.CONTAINER_SERVER
        }
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not a list of pod metrics: {error!r}") from error
