"""Login plugins of a kubeconfig: programs that print who we are, as the clouds' own clusters ask for.

The protocol is client-go's: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfserving_operator.adapters import errors

TIMEOUT_SECONDS: Final = 60.0
_GROUP: Final = "client.authentication.k8s.io/"


class _Status(BaseModel):
    model_config = ConfigDict(extra="ignore")
    token: str = ""
    certificate: str = Field("", alias="clientCertificateData")
    key: str = Field("", alias="clientKeyData")
    expires: datetime | None = Field(None, alias="expirationTimestamp")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")
    status: _Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What a plugin printed."""

    token: str = ""
    certificate: str = ""
    """PEM."""
    key: str = ""
    """PEM."""
    expires: datetime | None = None
    """None: until the API server answers 401."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """A program of a kubeconfig's user, and how it is called."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    """Beside our own."""
    version: str = f"{_GROUP}v1"
    hint: str = ""
    """What the kubeconfig says to somebody who has not installed it."""
    cluster: str = ""
    """JSON of the cluster to log in to, where the kubeconfig says that the plugin is to know it."""

    @classmethod
    def parse(cls, user: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path) -> Self:
        """The plugin of a user's `exec`; a relative command with a slash lies beside the kubeconfig.

        Raises
        ------
        errors.LoginError
            When there is no command, or the API version is not one of plugins.
        """
        command, version = str(user.get("command") or ""), str(user.get("apiVersion") or "")
        if not command or not version.startswith(_GROUP):
            raise errors.LoginError(f"exec of the kubeconfig needs a command and an apiVersion {_GROUP}v1")
        return cls(
            command=str(folder / command) if "/" in command else command,
            arguments=tuple(str(each) for each in user.get("args") or ()),
            environment=tuple((str(e["name"]), str(e.get("value", ""))) for e in user.get("env") or ()),
            version=version,
            hint=str(user.get("installHint") or ""),
            cluster=json.dumps(_told(cluster)) if user.get("provideClusterInfo") else "",
        )

    def run(self) -> Credential:
        """Run it; it blocks, and whoever waits for the API waits for it anyway.

        Raises
        ------
        errors.LoginError
            When it is not there, fails, or prints no credential.
        """
        if shutil.which(self.command) is None:
            hint = f": {self.hint.strip()}" if self.hint else ""
            raise errors.LoginError(f"the login plugin {self.command!r} of the kubeconfig is not there{hint}")
        spec: dict[str, Any] = {"interactive": False}
        if self.cluster:
            spec["cluster"] = json.loads(self.cluster)
        info = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **dict(self.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(  # noqa: S603 - the program that the user named for it
                [self.command, *self.arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=True,
                text=True,
            )
            status = _Answer.model_validate_json(done.stdout).status
        except subprocess.CalledProcessError as error:
            words = (error.stderr or error.stdout).strip()[-500:]
            raise self._failed(f"exit {error.returncode}: {words}") from error
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"it did not end within {TIMEOUT_SECONDS:.0f} s") from error
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            # What it printed may hold a secret
            raise self._failed(f"it printed no ExecCredential ({type(error).__name__})") from None
        if not status.token and not status.certificate:
            raise self._failed("its ExecCredential has neither a token nor a certificate")
        return Credential(
            token=status.token, certificate=status.certificate, key=status.key, expires=status.expires
        )

    def _failed(self, words: str) -> errors.LoginError:
        return errors.LoginError(f"the login plugin {self.command!r} of the kubeconfig failed: {words}")


def _told(cluster: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        "server",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority-data",
        "proxy-url",
    )
    told = {name: cluster[name] for name in names if name in cluster}
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == f"{_GROUP}exec":
            told["config"] = extension.get("extension")
    return told
