"""One list and watch: keeps a store in step with the API server, for ever."""

import asyncio
import logging
import random
from contextlib import aclosing
from typing import Final, NoReturn, Protocol

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.reconcile import queue, stores

RELIST_SECONDS: Final = 600.0
"""A list this often finds what a watch has lost without a word; spread by a fifth."""
WATCH_SECONDS: Final = 290
STEADY_SECONDS: Final = 5.0
"""A watch that held for this long was a good one: what ends it is no repeated failure."""

_log = structlog.stdlib.get_logger(__name__)


class Observer(Protocol):
    """Told of what comes in, for the metrics."""

    def event_received(self, *, resource: str) -> None:
        """One event of a watch."""
        ...

    def listed(self, *, resource: str) -> None:
        """One list was taken."""
        ...


class Reflector:
    """Lists one kind, then watches it, and tells a store.

    Attributes
    ----------
    synced
        Set after the first list.
    """

    def __init__(
        self,
        *,
        client: kube.Client,
        resource: resources.Resource,
        sink: stores.Sink,
        clock: clocks.Clock,
        chance: random.Random,
        observer: Observer,
        namespace: str = "",
        selector: str = "",
        metadata_only: bool = False,
        watches: bool = True,
    ) -> None:
        self._client = client
        self._resource = resource
        self._sink = sink
        self._clock = clock
        self._chance = chance
        self._observer = observer
        self._namespace = namespace
        self._selector = selector
        self._metadata_only = metadata_only
        self._watches = watches
        self._failures = 0
        self._heard_at = clock.monotonic()
        self._resource_version = ""
        self.synced = asyncio.Event()

    @property
    def name(self) -> str:
        """What is reflected, for logs and probes."""
        return f"{self._namespace or '*'}/{self._resource.plural}{f'?{self._selector}' if self._selector else ''}"

    def silent_seconds(self) -> float:
        """For how long the API server has not been heard of; bookmarks count."""
        return self._clock.monotonic() - self._heard_at if self._watches else 0.0

    async def run(self) -> NoReturn:
        """List, watch, and list again when the watch is lost or the list is old."""
        while True:
            await self._list()
            self.synced.set()
            due = self._clock.monotonic() + RELIST_SECONDS * self._chance.uniform(0.8, 1.2)
            if self._watches:
                await self._follow(due)
            else:
                await asyncio.sleep(due - self._clock.monotonic())

    async def _list(self) -> None:
        while True:
            try:
                self._resource_version = await self._read_list()
            except errors.ApiError as error:
                await self._pause("list", error.message)
                continue
            self._heard()
            self._observer.listed(resource=self._resource.plural)
            return

    async def _read_list(self) -> str:
        uids: set[str] = set()
        resource_version = ""
        pages = self._client.list_pages(
            self._resource,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
        )
        async with aclosing(pages) as listed:
            async for page in listed:
                resource_version = page.resource_version
                for raw in page.items:
                    uids.add(raw["metadata"]["uid"])
                    self._sink.apply(raw)
        self._sink.prune(uids, resource_version=resource_version, namespace=self._namespace)
        return resource_version

    async def _follow(self, due: float) -> None:
        while (remaining := due - self._clock.monotonic()) > 0:
            started = self._clock.monotonic()
            problem = "it ended at once"
            try:
                async with asyncio.timeout(remaining):
                    await self._watch()
            except TimeoutError:
                return
            except errors.GoneError as error:
                _log.info("watch is too old, listing again", resource=self.name, error=error.message)
                return
            except errors.ApiError as error:
                problem = error.message
            if self._clock.monotonic() - started < STEADY_SECONDS:
                await self._pause("watch", problem)
            else:
                self._failures = 0

    async def _watch(self) -> None:
        stream = self._client.watch(
            self._resource,
            resource_version=self._resource_version,
            seconds=int(WATCH_SECONDS * self._chance.uniform(0.8, 1.2)),
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
        )
        async with aclosing(stream) as events:
            async for event in events:
                if event.type == "DELETED":
                    self._sink.remove(event.object)
                elif event.type != "BOOKMARK":
                    self._sink.apply(event.object)
                self._resource_version = event.object["metadata"]["resourceVersion"]
                self._heard()
                self._observer.event_received(resource=self._resource.plural)

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self._failures = 0

    async def _pause(self, verb: str, problem: str) -> None:
        self._failures += 1
        seconds = queue.backoff_seconds(self._failures, self._chance)
        # An outage is told of by every reflector: often at its beginning, then ever more seldom.
        level = logging.DEBUG if self._failures & (self._failures - 1) else logging.WARNING
        _log.log(
            level,
            "cannot read from the Kubernetes API, trying again",
            verb=verb,
            resource=self.name,
            error=problem,
            failures=self._failures,
            seconds=round(seconds, 2),
        )
        await asyncio.sleep(seconds)
