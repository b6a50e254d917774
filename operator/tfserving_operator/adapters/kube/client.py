"""The verbs of the Kubernetes API on one HTTP session."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final, Protocol, Self

import aiohttp
import orjson

import tfserving_operator
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import answers, bodies, decoding, login, resources, retrying
from tfserving_operator.api import constants

LIST_PAGE: Final = 200
REQUEST_TIMEOUT_SECONDS: Final = 30.0
CONNECT_TIMEOUT_SECONDS: Final = 10.0
WATCH_SILENCE_SECONDS: Final = 90.0
"""The API server sends a bookmark about every minute: a watch that is silent for longer is dead."""

CLOSE_SECONDS: Final = 0.1
"""What TLS connections need to say goodbye; aiohttp does not wait for those of broken-off watches."""

MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

Raw = Mapping[str, Any]


class Observer(Protocol):
    """Told of every request, for the metrics."""

    def request_done(self, *, method: str, resource: str, code: int, seconds: float) -> None:
        """One request ended; the code is 0 where there was no answer."""
        ...


def allow() -> None:
    """The guard of a client that may always write."""


class Client:
    """One API server, one session.

    Every write is preceded by the guard, each attempt anew: it raises when we may not write any more.
    """

    def __init__(
        self,
        *,
        server: str,
        session: aiohttp.ClientSession,
        tokens: login.TokenSource,
        observer: Observer,
        guard: Callable[[], None] = allow,
    ) -> None:
        self._server = server
        self._session = session
        self._tokens = tokens
        self._observer = observer
        self._guard = guard

    @classmethod
    def connect(cls, account: login.Login, *, clock: clocks.Clock, observer: Observer) -> Self:
        """Build a client with a session of its own, to be closed with `close`."""
        tls = account.build_ssl_context()
        connector = aiohttp.TCPConnector(limit=0, ssl=tls if tls is not None else True)
        headers = {
            "User-Agent": f"{constants.FIELD_MANAGER}/{tfserving_operator.__version__}",
            # Lists come over a fast network: unpacking them would only cost our CPU.
            "Accept-Encoding": "identity",
        }
        session = aiohttp.ClientSession(connector=connector, headers=headers)
        return cls(
            server=account.server,
            session=session,
            tokens=login.TokenSource(account, clock),
            observer=observer,
        )

    def with_guard(self, guard: Callable[[], None]) -> Self:
        """The same session, its writes guarded."""
        return type(self)(
            server=self._server,
            session=self._session,
            tokens=self._tokens,
            observer=self._observer,
            guard=guard,
        )

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()
        await asyncio.sleep(CLOSE_SECONDS)

    async def list_pages(
        self,
        resource: resources.Resource,
        *,
        namespace: str = "",
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncGenerator[answers.Page, None]:
        """All objects as they were at one resource version, page by page: a thousand take memory."""
        path, accept = resource.path(namespace=namespace), METADATA_LIST if metadata_only else JSON
        params = {"limit": str(LIST_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = await self._call("GET", resource, path, params, accept=accept)
            meta = page["metadata"]
            yield answers.Page(items=page["items"] or [], resource_version=meta["resourceVersion"])
            if not (token := meta.get("continue")):
                return
            params = {**params, "continue": token}

    async def watch(
        self,
        resource: resources.Resource,
        *,
        resource_version: str,
        seconds: int,
        namespace: str = "",
        name: str = "",
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncGenerator[answers.WatchEvent, None]:
        """The events since a resource version, bookmarks among them, until the server ends the watch.

        With a name they are those of one object.

        Raises
        ------
        errors.ApiError
            When the watch cannot be had or breaks; GoneError when the resource version is too old.
        """
        params = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        } | ({"labelSelector": selector} if selector else {})
        if name:
            params["fieldSelector"] = f"metadata.name={name}"
        headers = self._headers(METADATA if metadata_only else JSON)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=WATCH_SILENCE_SECONDS
        )
        url = self._server + resource.path(namespace=namespace)
        started, code = time.perf_counter(), 0
        try:
            async with self._session.get(
                url, params=params, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                code = response.status
                if code >= answers.HTTP_ERROR:
                    raise self._refusal(response, await response.read())
                async with aclosing(answers.parse_watch(response.content.iter_any())) as events:
                    async for event in events:
                        yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.TransientError(f"watch of {resource.plural}: {error!r}") from error
        finally:
            self._observe("WATCH", resource, code, started)

    async def get(self, resource: resources.Resource, *, namespace: str, name: str) -> Raw:
        """One object."""
        return await self._call("GET", resource, resource.path(namespace=namespace, name=name))

    async def ask(self, resource: resources.Resource, *, namespace: str, selector: str) -> Raw:
        """A list by one request: of what another server tells for the API, there are no pages nor second attempts."""
        path, params = resource.path(namespace=namespace), {"labelSelector": selector}
        headers = self._headers(JSON)
        return await self._send("GET", resource, path, params=params, data=None, headers=headers)

    async def create(self, resource: resources.Resource, manifest: Raw) -> Raw:
        """POST an object into the namespace of its metadata."""
        path = resource.path(namespace=manifest["metadata"]["namespace"])
        return await self._call("POST", resource, path, _as_writer(), body=manifest)

    async def replace(self, resource: resources.Resource, manifest: Raw) -> Raw:
        """PUT an object as it was read, but for what changes: its resourceVersion must still be the same."""
        meta = manifest["metadata"]
        path = resource.path(namespace=meta["namespace"], name=meta["name"])
        return await self._call("PUT", resource, path, _as_writer(), body=manifest)

    async def patch(
        self, resource: resources.Resource, *, namespace: str, name: str, uid: str, body: Raw
    ) -> Raw:
        """Merge-patch the object that has this UID: a namesake is never changed, that is a ConflictError."""
        path = resource.path(namespace=namespace, name=name)
        guarded = {**body, "metadata": {**body.get("metadata", {}), "uid": uid}}
        try:
            return await self._call(
                "PATCH", resource, path, _as_writer(), body=guarded, content_type=MERGE_PATCH
            )
        except errors.PermanentError as error:
            if "metadata.uid" in error.message:
                # The API words a namesake's UID as an invalid field (422).
                raise errors.ConflictError(error.message, code=error.code, reason=error.reason) from error
            raise

    async def patch_status(
        self, resource: resources.Resource, *, namespace: str, name: str, resource_version: str, status: Raw
    ) -> Raw:
        """Merge-patch ``.status`` if the object has not changed since `resource_version`, else ConflictError."""
        path = resource.path(namespace=namespace, name=name, subresource="status")
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return await self._call("PATCH", resource, path, _as_writer(), body=body, content_type=MERGE_PATCH)

    async def delete(self, resource: resources.Resource, *, namespace: str, name: str, uid: str) -> Raw:
        """Delete the object that has this UID, its dependents in the background.

        The answer is the object where something still holds it, else a Status.
        """
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        return await self._call("DELETE", resource, resource.path(namespace=namespace, name=name), body=body)

    async def _call(
        self,
        method: str,
        resource: resources.Resource,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Raw | None = None,
        accept: str = JSON,
        content_type: str = JSON,
    ) -> Raw:
        data = orjson.dumps(body) if body is not None else None

        async def attempt() -> Raw:
            if method != "GET":
                self._guard()
            headers = self._headers(accept)
            if data is not None:
                headers["Content-Type"] = content_type
            return await self._send(method, resource, path, params=params, data=data, headers=headers)

        return await retrying.repeat(attempt)

    async def _send(
        self,
        method: str,
        resource: resources.Resource,
        path: str,
        *,
        params: Mapping[str, str] | None,
        data: bytes | None,
        headers: Mapping[str, str],
    ) -> Raw:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS)
        started, code = time.perf_counter(), 0
        try:
            async with self._session.request(
                method,
                self._server + path,
                params=params,
                data=bodies.GuardedBody(data, self._guard) if data is not None else None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                code = response.status
                payload = await response.read()
                if code >= answers.HTTP_ERROR:
                    raise self._refusal(response, payload)
                parsed: Raw = decoding.loads(payload)
                return parsed
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise errors.TransientError(f"{method} {path}: {error!r}") from error
        finally:
            self._observe(method, resource, code, started)

    def _headers(self, accept: str) -> dict[str, str]:
        token = self._tokens.current()
        return {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})

    def _refusal(self, response: aiohttp.ClientResponse, payload: bytes) -> errors.ApiError:
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.forget()
        return answers.error_from(
            response.status, payload, retry_after=response.headers.get("Retry-After", "")
        )

    def _observe(self, method: str, resource: resources.Resource, code: int, started: float) -> None:
        seconds = time.perf_counter() - started
        self._observer.request_done(method=method, resource=resource.plural, code=code, seconds=seconds)


def _as_writer() -> dict[str, str]:
    return {"fieldManager": constants.FIELD_MANAGER}
