"""The ValidatingWebhook: HTTPS, one route, nothing but validation's verdict."""

import asyncio
import ssl
from pathlib import Path
from typing import Final, NoReturn, Protocol

import orjson
import structlog
from aiohttp import web

from tfserving_operator import config as configuration
from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters.kube import client as kube
from tfserving_operator.core import admission, snapshot
from tfserving_operator.reconcile import certificates

PATH: Final = "/validate"
MAX_BYTES: Final = 4 * 1024 * 1024
"""An object of at most 1.5 MiB, twice in an update."""
RELOAD_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 2.0
_log = structlog.stdlib.get_logger(__name__)


def build_app(policy: snapshot.Policy) -> web.Application:
    """The HTTP application that the API server calls."""

    async def validate(request: web.Request) -> web.Response:
        try:
            raw = orjson.loads(await request.read())
            # Parsing cases of a megabyte takes a while, in which other objects are reconciled
            answer = await asyncio.to_thread(admission.review, raw, policy)
        except (orjson.JSONDecodeError, admission.InvalidReviewError) as error:
            return web.Response(status=400, text=str(error))
        response = answer["response"]
        _log.debug("webhook: judged", uid=response["uid"], allowed=response["allowed"])
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes([web.post(PATH, validate)])
    return app


def build_context() -> ssl.SSLContext:
    """A server's TLS context, to be given its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Files:
    """Follows the files that cert-manager mounts and renews: tls.crt and tls.key."""

    def __init__(self, context: ssl.SSLContext, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self._seen: tuple[int, int] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a certificate is loaded."""
        return self._seen is not None

    async def run(self) -> NoReturn:
        """Load what is new, for ever."""
        while True:
            self._load()
            await asyncio.sleep(RELOAD_SECONDS if self.is_ready else RETRY_SECONDS)

    def _load(self) -> None:
        certificate, key = self._folder / "tls.crt", self._folder / "tls.key"
        try:
            now = (certificate.stat().st_mtime_ns, key.stat().st_mtime_ns)
            if now != self._seen:
                self._context.load_cert_chain(certificate, key)
                self._seen = now
                _log.info("webhook: certificate loaded", folder=str(self._folder))
        except (OSError, ssl.SSLError) as error:
            _log.warning(
                "webhook: the certificate cannot be loaded", folder=str(self._folder), error=str(error)
            )


class Certificate(Protocol):
    """Whatever brings the certificate."""

    @property
    def is_ready(self) -> bool:
        """Whether a certificate is loaded."""
        ...

    async def run(self) -> NoReturn:
        """Keep it good, for ever."""
        ...


def build_certificate(
    config: configuration.Config, *, client: kube.Client, clock: clocks.Clock, context: ssl.SSLContext
) -> Certificate:
    """Choose where the certificate comes from: mounted files, or a Secret that we keep ourselves."""
    if config.webhook_cert_dir:
        return Files(context, Path(config.webhook_cert_dir))
    service, namespace = config.webhook_name, config.pod_namespace
    place = certificates.Place(
        namespace=namespace,
        secret=f"{service}-tls",
        configuration=config.webhook_configuration or service,
        names=config.webhook_hosts
        or (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local"),
    )
    return certificates.Keeper(client=client, place=place, clock=clock, context=context)
