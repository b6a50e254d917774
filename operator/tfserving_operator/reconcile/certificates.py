"""Keeps the webhook's certificate: in a Secret that all replicas share, and in the API server's trust."""

import asyncio
import base64
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog

from tfserving_operator.adapters import certificates, errors
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.adapters.kube import resources

CHECK_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 30.0
"""How long the API server may take to trust a new authority, before it sees a certificate of it."""
_KEYS: Final = {"authority": "ca.crt", "certificate": "tls.crt", "key": "tls.key"}
_PREVIOUS_KEY: Final = "previous-ca.crt"
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the certificate and the trust in it are."""

    namespace: str
    secret: str
    configuration: str
    """Name of the ValidatingWebhookConfiguration."""
    names: tuple[str, ...]
    """Names under which the API server calls us."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long certificates live, and how often they are looked at."""

    lifetime: timedelta = certificates.LIFETIME
    check_seconds: float = CHECK_SECONDS
    settle_seconds: float = SETTLE_SECONDS


class Keeper:
    """Makes, shares, renews and loads the certificate.

    No request is lost over a renewal: the API server trusts the new authority before it sees a certificate of it,
    and the one before for as long as a replica may still show one of that.
    """

    def __init__(
        self,
        *,
        client: kube.Client,
        place: Place,
        clock: clocks.Clock,
        context: ssl.SSLContext,
        pace: Pace | None = None,
    ) -> None:
        self._client = client
        self._place = place
        self._clock = clock
        self._context = context
        self._pace = pace or Pace()
        self._loaded: certificates.Bundle | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a certificate is loaded."""
        return self._loaded is not None

    async def ensure(self) -> None:
        """Have a good certificate loaded, and trusted by the API server.

        Raises
        ------
        errors.AdapterError
            When the API cannot be asked, or refuses.
        """
        bundle = await self._shared()
        if self._loaded is None:
            await self._load(bundle)
        await self._trust(bundle.trusted)
        if bundle != self._loaded:
            await asyncio.sleep(self._pace.settle_seconds)
            await self._load(bundle)

    async def run(self) -> NoReturn:
        """Renew for ever; what the API refuses is tried again."""
        while True:
            try:
                await self.ensure()
                wait = self._pace.check_seconds
            except errors.AdapterError as error:
                _log.warning("webhook: the certificate cannot be kept", error=str(error))
                wait = RETRY_SECONDS
            await asyncio.sleep(wait)

    async def _load(self, bundle: certificates.Bundle) -> None:
        await asyncio.to_thread(load, self._context, bundle)
        self._loaded = bundle
        _log.info("webhook: certificate loaded", secret=self._place.secret)

    async def _shared(self) -> certificates.Bundle:
        """The bundle of the Secret; a new one where it is missing, for other names, or old."""
        place, now = self._place, self._clock.now()
        try:
            raw = await self._client.get(resources.SECRETS, namespace=place.namespace, name=place.secret)
        except errors.NotFoundError:
            raw = None
        found = _decode(raw)
        if found is not None and certificates.is_good(found, place.names, now):
            return found
        made = certificates.issue(place.names, now, lifetime=self._pace.lifetime)
        if found is not None and certificates.is_authority(found.authority):
            made = replace(made, previous=found.authority)
        try:
            await self._write(raw, made)
        except errors.ConflictError:
            return await self._shared()  # another replica was first
        _log.info("webhook: certificate issued", secret=place.secret, names=place.names)
        return made

    async def _write(self, raw: kube.Raw | None, bundle: certificates.Bundle) -> None:
        data = {key: base64.b64encode(getattr(bundle, name)).decode() for name, key in _KEYS.items()}
        if bundle.previous:
            data[_PREVIOUS_KEY] = base64.b64encode(bundle.previous).decode()
        if raw is not None:
            await self._client.replace(resources.SECRETS, {**raw, "data": data})
            return
        metadata = {"name": self._place.secret, "namespace": self._place.namespace}
        manifest = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata}
        await self._client.create(resources.SECRETS, {**manifest, "data": data})

    async def _trust(self, authorities: bytes) -> None:
        kind, name = resources.VALIDATING_WEBHOOKS, self._place.configuration
        raw = await self._client.get(kind, namespace="", name=name)
        wanted = base64.b64encode(authorities).decode()
        webhooks: list[dict[str, Any]] = [dict(each) for each in raw.get("webhooks") or ()]
        if all((each.get("clientConfig") or {}).get("caBundle") == wanted for each in webhooks):
            return
        for each in webhooks:
            each["clientConfig"] = {**each["clientConfig"], "caBundle": wanted}
        body = {"webhooks": webhooks, "metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]}}
        await self._client.patch(kind, namespace="", name=name, uid=raw["metadata"]["uid"], body=body)


def _decode(raw: Mapping[str, Any] | None) -> certificates.Bundle | None:
    data = (raw or {}).get("data") or {}
    try:
        parts = {name: base64.b64decode(data[key]) for name, key in _KEYS.items()}
        return certificates.Bundle(**parts, previous=base64.b64decode(data.get(_PREVIOUS_KEY) or ""))
    except (KeyError, ValueError):
        return None


def load(context: ssl.SSLContext, bundle: certificates.Bundle) -> None:
    """Put a certificate into a context that is in use: the next handshake has it."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        key.touch(mode=0o600)
        certificate.write_bytes(bundle.certificate)
        key.write_bytes(bundle.key)
        context.load_cert_chain(certificate, key)
