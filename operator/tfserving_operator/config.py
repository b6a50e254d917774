"""The installation's settings: a YAML file, narrowed by the command line."""

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
import yaml
from pydantic import Field

from tfserving_operator.api.base import ApiModel


class ConfigError(Exception):
    """The settings cannot be used; the message says which and why."""


class ModelNetworkPolicy(ApiModel):
    """The NetworkPolicy of every ModelDeployment, in the words of NetworkPolicies."""

    rest_from: tuple[dict[str, Any], ...] = ()
    """Peers that may use REST. The operator must be among them: it tests by REST."""
    grpc_from: tuple[dict[str, Any], ...] = ()
    """Peers that may use gRPC, and with it make the server load another model."""
    egress: tuple[dict[str, Any], ...] = ()
    """Egress rules; a served model needs none."""


class Config(ApiModel):
    """Settings of one operator process. Lists of patterns are matched as file names are (fnmatch)."""

    inspect_image: str = ""
    """Image of the inspect container: the operator's own. Default: `$TFSERVING_OPERATOR_IMAGE`."""
    image_pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"
    """Of the pods' containers."""
    allowed_images: tuple[str, ...] = ()
    """Patterns of server images; empty allows any."""
    allowed_service_accounts: tuple[str, ...] = ("default",)
    """Service accounts that model pods may run as."""
    allowed_priority_classes: tuple[str, ...] = ()
    """Priority classes that model pods may name."""
    allowed_runtime_classes: tuple[str, ...] = ()
    """Runtime classes that model pods may name."""
    allowed_service_types: tuple[str, ...] = ("ClusterIP",)
    """Types that the Service may have."""
    allowed_service_annotations: tuple[str, ...] = ()
    """Patterns of annotation keys that the Service may carry."""
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = 5
    """How long a model pod goes on serving after its deletion began."""
    disruption_budgets: bool = True
    """Whether `spec.disruption` may ask for PodDisruptionBudgets: the operator has the rights on them."""
    pod_metrics: bool = False
    """Whether `metrics.k8s.io` is asked what model pods take of memory: the operator has the right to."""
    model_network_policy: ModelNetworkPolicy | None = None
    """Of every ModelDeployment; without it there is none: the operator has the rights on them."""
    watch_namespaces: tuple[str, ...] = ()
    """The namespaces whose ModelDeployments are served; empty serves the whole cluster."""
    leader_election: bool = True
    """Whether a Lease makes sure that only one operator writes."""
    lease_seconds: Annotated[int, Field(ge=3, le=3600)] = 15
    """After this long without a renewal another operator takes the Lease; the holder stops writing after two thirds."""
    pod_namespace: str = ""
    """Where the Lease is. Default: `$POD_NAMESPACE`, else the namespace of the login."""
    log_format: Annotated[str, Field(pattern="^(json|console)$")] = "json"
    """How lines of the log look."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Of /healthz, /readyz and /metrics; 0 opens none."""
    webhook_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Of the ValidatingWebhook; 0 opens none."""
    webhook_name: str = "tfserving-operator-webhook"
    """Of the webhook's Service; its certificate is kept in the Secret `<name>-tls`."""
    webhook_configuration: str = ""
    """Name of the ValidatingWebhookConfiguration that is to trust the certificate. Default: `webhookName`."""
    webhook_hosts: tuple[str, ...] = ()
    """Names under which the API server calls the webhook. Default: those of the Service."""
    webhook_cert_dir: str = ""
    """Folder with tls.crt and tls.key, as cert-manager's are mounted; then no Secret is kept."""
    http_host: str = ""
    """The address that `http_port` is opened on; empty is every one."""

    @classmethod
    def load(
        cls, path: Path | None, *, overrides: Mapping[str, Any], environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read the settings: the command line outranks the file, the file outranks the environment.

        Raises
        ------
        ConfigError
            When the file cannot be read or a setting is wrong.
        """
        from_environment = {
            "inspectImage": environ.get("TFSERVING_OPERATOR_IMAGE", ""),
            "podNamespace": environ.get("POD_NAMESPACE", ""),
        }
        try:
            written = yaml.safe_load(path.read_text()) if path is not None else None
            if not isinstance(written or {}, dict):
                raise ConfigError(f"{path} is not a mapping of settings")
            config = cls.model_validate({**from_environment, **(written or {}), **overrides})
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        except pydantic.ValidationError as error:
            raise ConfigError(f"the settings cannot be used: {error}") from error
        if not config.inspect_image:
            raise ConfigError(
                "no inspectImage: name the operator's own image, or set TFSERVING_OPERATOR_IMAGE"
            )
        return config


def identity(environ: Mapping[str, str] = os.environ) -> str:
    """Who we are, for the Lease and for Events.

    A pod's name outlives the restarts of its container, which can then go on at once; outside a cluster two
    processes of one machine must differ.
    """
    if pod := environ.get("POD_NAME"):
        return f"{pod}_{environ.get('POD_UID', '')}".rstrip("_")
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"
