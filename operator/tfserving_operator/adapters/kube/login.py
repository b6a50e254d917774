"""How to reach a cluster: from a kubeconfig file, or from inside a pod."""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.adapters import errors
from tfserving_operator.adapters.kube import plugins

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_REREAD_SECONDS: Final = 60.0
"""The kubelet renews a projected token long before it ends; client-go reads it again as often."""
RENEW_SECONDS: Final = 60.0
"""Before a plugin's credential ends it is asked for the next one."""
_NOT_SUPPORTED: Final = ("as", "auth-provider", "proxy-url", "tls-server-name")
"""What may not be passed over in silence: it says who we are, or whom we speak to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A server, and how to prove who we are."""

    server: str
    """https://host:port, without a trailing slash."""
    namespace: str = "default"
    ca: str = ""
    """PEM; "" trusts what the system trusts."""
    certificate: str = field(default="", repr=False)
    """PEM."""
    key: str = field(default="", repr=False)
    """PEM."""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    """Read again from time to time; outranks `token`."""
    plugin: plugins.Plugin | None = None
    """Prints the next token when `token` ends."""
    expires: datetime | None = None
    """When `token` ends; None: until the API server answers 401."""
    insecure: bool = False
    """Whether the server's certificate is not verified."""

    def build_ssl_context(self) -> ssl.SSLContext | None:
        """The TLS settings, None for a plain HTTP server."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            # Python's ssl reads a client certificate from files only.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(f"{self.certificate.rstrip()}\n{self.key}")
                file.flush()
                context.load_cert_chain(file.name)
        return context


class TokenSource:
    """The bearer token of a login, read again when it may have been renewed."""

    def __init__(self, login: Login, clock: clocks.Clock) -> None:
        self._login = login
        self._clock = clock
        self._token = login.token
        self._expires = login.expires
        self._read_at = float("-inf")
        self._refused = False

    def current(self) -> str:
        """The token, "" where the login has none."""
        path = self._login.token_file
        if path is not None and self._clock.monotonic() - self._read_at >= TOKEN_REREAD_SECONDS:
            try:
                self._token = path.read_text().strip()
            except OSError as error:
                raise errors.TransientError(f"the token cannot be read: {error}") from error
            self._read_at = self._clock.monotonic()
        if self._login.plugin is not None and self._is_over():
            self._ask(self._login.plugin)
        return self._token

    def _is_over(self) -> bool:
        expires = self._expires
        return self._refused or (
            expires is not None and self._clock.now() + timedelta(seconds=RENEW_SECONDS) >= expires
        )

    def _ask(self, plugin: plugins.Plugin) -> None:
        try:
            credential = plugin.run()
        except errors.LoginError as error:
            raise errors.TransientError(str(error)) from error
        self._token, self._expires, self._refused = credential.token, credential.expires, False

    def forget(self) -> None:
        """Read the token again at the next request; called after a 401."""
        self._read_at = float("-inf")
        self._refused = True


def load(*, kubeconfig: Path | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Login:
    """Find a login: the named file, ``$KUBECONFIG``, the pod's own account, then ``~/.kube/config``.

    Raises
    ------
    errors.LoginError
        When nothing is found, or what is found cannot be used.
    """
    if kubeconfig is not None:
        return from_kubeconfigs([kubeconfig], context)
    if listed := [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]:
        return from_kubeconfigs(listed, context)
    if context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        return from_service_account(environ)
    return from_kubeconfigs([Path("~/.kube/config").expanduser()], context)


def from_service_account(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Login:
    """The login of the pod that we run in."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        return Login(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            namespace=(folder / "namespace").read_text().strip(),
            ca=(folder / "ca.crt").read_text(),
            token_file=folder / "token",
        )
    except OSError as error:
        raise errors.LoginError(f"the pod's service account cannot be read: {error}") from error


def from_kubeconfigs(paths: Iterable[Path], context: str | None) -> Login:
    """The login of a context; of several files, the first that names something wins."""
    clusters: dict[str, Any] = {}
    users: dict[str, Any] = {}
    contexts: dict[str, Any] = {}
    current = ""
    found = [path for path in paths if path.exists()]
    for path in found:
        config = _read(path)
        for section, target in (("clusters", clusters), ("users", users), ("contexts", contexts)):
            for name, entry in _entries(config, section, path):
                target.setdefault(name, (entry, path.parent))
        current = current or config.get("current-context", "")
    if not found:
        raise errors.LoginError("no kubeconfig: use --kubeconfig or KUBECONFIG, or run inside a cluster")
    name = context or current
    chosen, _ = contexts.get(name, (None, None))
    if chosen is None:
        raise errors.LoginError(f"the kubeconfig has no context {name!r}; it has {sorted(contexts)}")
    cluster, cluster_folder = clusters.get(chosen.get("cluster", ""), ({}, Path()))
    user, user_folder = users.get(chosen.get("user", ""), ({}, Path()))
    if not cluster.get("server"):
        raise errors.LoginError(f"context {name!r} names no cluster with a server")
    asked = [key for key in _NOT_SUPPORTED if user.get(key) or cluster.get(key)]
    if asked:
        raise errors.LoginError(f"context {name!r} asks for {asked[0]!r}, which is not supported")
    token_file = user.get("tokenFile")
    plugin = plugins.Plugin.parse(user["exec"] or {}, cluster, user_folder) if "exec" in user else None
    shown = plugin.run() if plugin is not None else plugins.Credential()
    return Login(
        server=cluster["server"].rstrip("/"),
        namespace=chosen.get("namespace") or "default",
        ca=_pem(cluster, "certificate-authority", cluster_folder),
        certificate=shown.certificate or _pem(user, "client-certificate", user_folder),
        key=shown.key or _pem(user, "client-key", user_folder),
        token=shown.token or user.get("token", ""),
        token_file=user_folder / token_file if token_file else None,
        plugin=plugin,
        expires=shown.expires,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _entries(config: Mapping[str, Any], section: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in config.get(section) or ():
        if not isinstance(entry, dict) or "name" not in entry:
            raise errors.LoginError(f"{path}: an entry of {section} has no name")
        yield entry["name"], entry.get(section[:-1]) or {}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise errors.LoginError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise errors.LoginError(f"{path} is not a kubeconfig")
    return config


def _pem(section: Mapping[str, Any], key: str, folder: Path) -> str:
    try:
        if inline := section.get(f"{key}-data"):
            return base64.b64decode(inline, validate=True).decode()
        if path := section.get(key):
            return (folder / str(path)).read_text()
    except (OSError, binascii.Error, UnicodeDecodeError) as error:
        raise errors.LoginError(f"{key} cannot be read: {error}") from error
    return ""
