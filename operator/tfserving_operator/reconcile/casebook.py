"""Where a test's cases come from: the spec, users' ConfigMaps, or what a revision passed with before."""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants
from tfserving_operator.core import observed
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.core.workloads import names

REMEMBERED: Final = 64
"""Smoke inputs that are kept in memory, the last used ones."""
REMEMBERED_BYTES: Final = 24 * 1024 * 1024
"""Of all of them together, as JSON, of which Python's lists take several times as much; the last used one is kept
whatever its size."""


class CasesMissingError(Exception):
    """A ConfigMap or a key is not there; the message names it."""


class Casebook:
    """Reads the cases of tests, and remembers smoke inputs by their digest.

    So a rollout reads nothing but the ConfigMaps that the user names: what a revision was promoted with is
    still in memory when its bake and its repeated tests ask for it.
    """

    def __init__(
        self, *, client: kube.Client, pinned: Callable[[str, str], observed.ConfigMap | None]
    ) -> None:
        self._client = client
        self._pinned = pinned
        self._known: OrderedDict[str, cases.ResolvedCases] = OrderedDict()

    async def resolve(self, owner_uid: str, request: plans.TestRequest) -> cases.ResolvedCases:
        """The cases of a test.

        Raises
        ------
        CasesMissingError
            When a ConfigMap or key is not there, or a pin is not ours.
        cases.InvalidCases
            When what is there cannot be used.
        errors.ApiError
            When the API cannot be asked.
        """
        match request.cases:
            case plans.SpecCases():
                return self._remember(await self._resolve_spec(request.namespace, request.cases))
            case plans.PinnedCases():
                return await self._resolve_pin(owner_uid, request.namespace, request.cases.config_map)

    async def _resolve_spec(self, namespace: str, wanted: plans.SpecCases) -> cases.ResolvedCases:
        documents = [
            (f"configmap {name} key {key}", await self._read(namespace, name, key))
            for name, key in wanted.config_maps
        ]
        # Reading and checking a megabyte takes a second, in which the event loop has other things to do.
        return await asyncio.to_thread(cases.resolve, wanted.inline, documents)

    async def _resolve_pin(self, owner_uid: str, namespace: str, name: str) -> cases.ResolvedCases:
        pin = self._pinned(namespace, name)
        if pin is None or pin.meta.owner_uid != owner_uid:
            raise CasesMissingError(
                f"configmap {name}, which the revision's smoke input was recorded in, is not there"
            )
        digest = dict(pin.annotations).get(constants.ANNOTATION_CASES_DIGEST, "")
        if known := self._known.get(digest):
            self._known.move_to_end(digest)
            return known
        raw = await self._get(namespace, name)
        found = await asyncio.to_thread(cases.from_pinned, _pinned_bytes(raw))
        # Made inputs leave only a digest behind: that of an older generator stands for inputs that are made again
        if found.digest != digest and found.canonical:
            raise cases.InvalidCases(f"configmap {name} holds other cases than its digest says")
        return self._remember(found)

    def _remember(self, found: cases.ResolvedCases) -> cases.ResolvedCases:
        found = self._known.setdefault(found.digest, found)
        self._known.move_to_end(found.digest)
        while len(self._known) > REMEMBERED or (len(self._known) > 1 and self._size() > REMEMBERED_BYTES):
            self._known.popitem(last=False)
        return found

    def _size(self) -> int:
        return sum(known.size for known in self._known.values())

    async def _read(self, namespace: str, name: str, key: str) -> str | bytes:
        raw = await self._get(namespace, name)
        data = raw.get("data") or {}
        if key in data:
            return str(data[key])
        binary = raw.get("binaryData") or {}
        if key in binary and key.endswith(cases.ARCHIVE_SUFFIX):
            return base64.b64decode(binary[key])
        if key in binary:
            raise cases.InvalidCases(
                f"configmap {name} key {key} is binary: write cases as JSON or YAML, or arrays under a key that ends"
                f" in {cases.ARCHIVE_SUFFIX}"
            )
        raise CasesMissingError(f"configmap {name} has no key {key}; it has {sorted([*data, *binary])}")

    async def _get(self, namespace: str, name: str) -> kube.Raw:
        try:
            return await self._client.get(resources.CONFIG_MAPS, namespace=namespace, name=name)
        except errors.NotFoundError as error:
            raise CasesMissingError(f"configmap {name} is not there") from error


def _pinned_bytes(raw: kube.Raw) -> bytes:
    packed = (raw.get("binaryData") or {}).get(names.COMPRESSED_CASES_KEY)
    if packed:
        return base64.b64decode(packed)
    return str((raw.get("data") or {}).get(names.CASES_KEY, "")).encode()
