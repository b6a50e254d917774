"""Carries a decision out: the actions in order, the status if it differs, then the Events."""

from enum import StrEnum

import structlog

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import actions, merging, observed, snapshot
from tfserving_operator.reconcile import announce, caches, objects, refusals, telling, testing

_log = structlog.stdlib.get_logger(__name__)


class Progress(StrEnum):
    """How far the carrying out of a decision came."""

    Complete = "complete"
    """means all of it was done"""
    Overtaken = "overtaken"
    """means the cluster is not as the decision took it to be; what is known now asks for another decision"""


class _OvertakenError(Exception):
    """The rest of this decision must not be carried out."""


class Executor:
    """The only writer of objects, statuses and Events."""

    def __init__(
        self,
        *,
        client: kube.Client,
        known: caches.Caches,
        refused: refusals.Refusals,
        tests: testing.Tests,
        clock: clocks.Clock,
        instance: str,
    ) -> None:
        self._client = client
        self._known = known
        self._refused = refused
        self._tests = tests
        self._clock = clock
        self._instance = instance

    async def execute(self, entry: objects.ModelDeployment, decision: actions.Decision) -> Progress:
        """Carry a decision out.

        Raises
        ------
        errors.TransientError
            When the API cannot be reached: the decision can be made again later.
        errors.PermanentError
            When the API refuses the status, which cannot be told in the status.
        errors.NotLeaderError
            When we may not write any more.
        """
        try:
            for action in decision.actions:
                await self._act(entry, action)
            await self._write_status(entry, decision)
        except _OvertakenError:
            return Progress.Overtaken
        for event in decision.events:
            await self._announce(entry, event)
        return Progress.Complete

    async def _act(self, entry: objects.ModelDeployment, action: actions.Action) -> None:
        self._check_there(entry)
        match action:
            case actions.StartTest():
                self._tests.start(entry, action.request)
            case actions.Create():
                await self._create(entry, action.manifest)
            case actions.PinCases():
                await self._pin(entry, action)
            case actions.Patch():
                await self._patch(entry, action)
            case actions.Delete():
                await self._delete(entry, kind=action.kind, name=action.name, uid=action.uid)

    async def _create(self, entry: objects.ModelDeployment, manifest: kube.Raw) -> None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        resource, store = resources.WRITTEN[kind], self._known.store_of(kind)
        try:
            store.apply(await self._client.create(resource, manifest))
        except errors.AlreadyExistsError as error:
            there = await self._get(entry, resource, name)
            if observed.controller_uid(there) != entry.owner.uid:
                self._refuse(entry, kind, name, error, name_taken=True)
            store.apply(there)
            _log.debug("found our own object", kind=kind, namespace=entry.owner.namespace, name=name)
        except errors.ConflictError as error:
            raise _OvertakenError from error  # a race with others, for a quota: no word about our object
        except errors.PermanentError as error:
            self._refuse(entry, kind, name, error)
        else:
            _log.debug("created", kind=kind, namespace=entry.owner.namespace, name=name)

    async def _pin(self, entry: objects.ModelDeployment, action: actions.PinCases) -> None:
        """Immutable ConfigMaps are replaced, not changed."""
        manifest = action.manifest
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if action.replaces_uid:
            await self._delete(entry, kind=kind, name=name, uid=action.replaces_uid)
        await self._create(entry, manifest)
        there = self._known.config_maps.get(entry.owner.namespace, name)
        wanted = manifest["metadata"].get("annotations", {}).get(constants.ANNOTATION_CASES_DIGEST)
        if there is not None and dict(there.annotations).get(constants.ANNOTATION_CASES_DIGEST) != wanted:
            await self._delete(entry, kind=kind, name=name, uid=there.meta.uid)
            await self._create(entry, manifest)

    async def _patch(self, entry: objects.ModelDeployment, action: actions.Patch) -> None:
        resource, store = resources.WRITTEN[action.kind], self._known.store_of(action.kind)
        namespace = entry.owner.namespace
        try:
            patched = await self._client.patch(
                resource, namespace=namespace, name=action.name, uid=action.uid, body=action.body
            )
        except errors.NotFoundError as error:
            store.forget(namespace=namespace, name=action.name, uid=action.uid)
            raise _OvertakenError from error
        except errors.ConflictError as error:
            there = await self._get(entry, resource, action.name)
            if there["metadata"]["uid"] == action.uid:
                store.apply(there)
            else:
                store.forget(namespace=namespace, name=action.name, uid=action.uid)
            raise _OvertakenError from error
        except errors.PermanentError as error:
            self._refuse(entry, action.kind, action.name, error)
        else:
            store.apply(patched)
            _log.info("patched", kind=action.kind, namespace=namespace, name=action.name, body=action.body)

    async def _delete(self, entry: objects.ModelDeployment, *, kind: str, name: str, uid: str) -> None:
        resource, store = resources.WRITTEN[kind], self._known.store_of(kind)
        namespace = entry.owner.namespace
        try:
            answer = await self._client.delete(resource, namespace=namespace, name=name, uid=uid)
        except (errors.NotFoundError, errors.ConflictError):
            store.forget(namespace=namespace, name=name, uid=uid)
        except errors.PermanentError as error:
            self._refuse(entry, kind, name, error)
        else:
            if _is_held(answer):
                store.apply(answer)
            else:
                store.forget(namespace=namespace, name=name, uid=uid)
            _log.debug("deleted", kind=kind, namespace=namespace, name=name)

    async def _get(self, entry: objects.ModelDeployment, resource: resources.Resource, name: str) -> kube.Raw:
        try:
            return await self._client.get(resource, namespace=entry.owner.namespace, name=name)
        except errors.NotFoundError as error:
            raise _OvertakenError from error  # there a moment ago, and gone

    def _refuse(
        self,
        entry: objects.ModelDeployment,
        kind: str,
        name: str,
        error: errors.PermanentError,
        *,
        name_taken: bool = False,
    ) -> None:
        self._check_there(entry)
        refusal = snapshot.Refusal(
            kind=kind, name=name, code=error.code, message=error.message, name_taken=name_taken
        )
        self._refused.record(entry.owner, refusal)
        _log.debug("refused", kind=kind, namespace=entry.owner.namespace, name=name, error=error.message)
        raise _OvertakenError from error

    def _check_there(self, entry: objects.ModelDeployment) -> None:
        """Begin and remember nothing for an object that went away, or was made anew, while we were waiting."""
        there = self._known.objects.get(entry.key)
        if there is None or there.owner.uid != entry.owner.uid:
            raise _OvertakenError

    async def _write_status(self, entry: objects.ModelDeployment, decision: actions.Decision) -> None:
        if decision.status == entry.status and entry.unreadable is None:
            return
        self._check_there(entry)
        patch = merging.build_merge_patch(entry.wire, decision.status.to_wire())
        if not patch:
            return
        owner = entry.owner
        try:
            written = await self._client.patch_status(
                resources.MODEL_DEPLOYMENTS,
                namespace=owner.namespace,
                name=owner.name,
                resource_version=entry.resource_version,
                status=patch,
            )
        except errors.NotFoundError as error:
            self._known.objects.forget(entry)
            raise _OvertakenError from error
        except errors.ConflictError as error:
            there = await self._refresh(entry)
            if there is None or there.owner != owner or there.status != decision.status:
                raise _OvertakenError from error
            # Our own write had arrived, only its answer was lost.
        else:
            self._known.objects.apply(written)
        _log.info(
            "status",
            namespace=owner.namespace,
            name=owner.name,
            **telling.build_line(entry.status, decision.status, changed=patch),
        )

    async def _refresh(self, entry: objects.ModelDeployment) -> objects.ModelDeployment | None:
        owner = entry.owner
        try:
            there = await self._client.get(
                resources.MODEL_DEPLOYMENTS, namespace=owner.namespace, name=owner.name
            )
        except errors.NotFoundError:
            self._known.objects.forget(entry)
            return None
        self._known.objects.apply(there)
        return self._known.objects.get(entry.key)

    async def _announce(self, entry: objects.ModelDeployment, event: actions.Event) -> None:
        manifest = announce.build_event(entry.owner, event, now=self._clock.now(), instance=self._instance)
        try:
            await self._client.create(resources.EVENTS, manifest)
        except errors.AlreadyExistsError:
            pass  # a repeated request: the first one had arrived
        except errors.ApiError as error:
            # An Event is a courtesy; the status has been written.
            _log.warning("an Event was not sent", reason=str(event.reason), error=error.message)
        _log.info(
            "event",
            namespace=entry.owner.namespace,
            name=entry.owner.name,
            type=str(event.type),
            reason=str(event.reason),
            message=event.message,
        )


def _is_held(answer: kube.Raw) -> bool:
    """Whether a deleted object stays until something lets it go; some kinds answer with the object even if not."""
    meta = answer.get("metadata") or {}
    return "deletionTimestamp" in meta and bool(
        meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
    )
