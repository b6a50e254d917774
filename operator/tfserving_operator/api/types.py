"""`ModelDeployment` as users write it; the CRD is generated from here (`api.crd`).

Only fields whose feature works are here. Nothing inside model, server, resources and template has a default
in the CRD: those parts are hashed into the revision as the user wrote them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, Field

from tfserving_operator.api import explain, rules
from tfserving_operator.api.batching import Batching
from tfserving_operator.api.bounds import (
    Annotations,
    Bool,
    Int32,
    Int64,
    ResourceList,
    Seconds,
    SetEntries,
    SpecModel,
)
from tfserving_operator.api.disruption import Disruption
from tfserving_operator.api.smoke import OnInconclusive, Smoke
from tfserving_operator.api.template import PodTemplate

__all__ = [
    "Batching",
    "Disruption",
    "Model",
    "OnInconclusive",
    "ResourcePolicy",
    "Resources",
    "Rollout",
    "Server",
    "Service",
    "ServiceType",
    "Smoke",
    "Spec",
    "parse_spec",
]

NAMED_LIST = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


class Model(SpecModel):
    """Which model is served, and in which version."""

    name: (
        Annotated[
            str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$")
        ]
        | None
    ) = None
    """The NAME of /v1/models/NAME. Default: the name of the ModelDeployment."""
    uri: Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra=rules.URI)]
    """The folder that holds the numeric version folders: pvc://CLAIM/PATH."""
    version: Annotated[Int64, Field(ge=1)]
    """The version folder that is served. One revision serves exactly one version."""
    signature_name: Annotated[str, Field(min_length=1, max_length=253)] = "serving_default"
    """The signature that smoke tests call. Default serving_default."""


class EnvVar(SpecModel):
    """An environment variable of the model server."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")]
    """Its name."""
    value: Annotated[str, Field(max_length=32768)] = ""
    """Its value."""


class Server(SpecModel):
    """The model server."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": rules.SERVER})

    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\s]+$")]
    """An image with /usr/bin/tensorflow_model_server, such as tensorflow/serving:2.19.1."""
    batching: Batching | None = None
    """Requests that the server answers together. Without it, every request runs alone."""
    flags: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=128)],
            Annotated[str, Field(max_length=4096)],
        ],
        Field(max_length=64),
        SetEntries,
    ] = Field(default_factory=dict)
    """Further tensorflow_model_server flags by name, without dashes; checked by name and type."""
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64, json_schema_extra=NAMED_LIST)] = ()
    """Environment variables of the model server."""


class Resources(SpecModel):
    """Resources of the model server's container."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": rules.RESOURCES})

    requests: ResourceList = Field(default_factory=dict)
    """What is set aside on the node; Kubernetes takes the limits for what is not named."""
    limits: ResourceList = Field(default_factory=dict)
    """What may be used at most. memory is required."""


class ResourcePolicy(StrEnum):
    """What a lack of room leads to."""

    Enforce = "Enforce"
    """means nothing is started before there is room"""
    Warn = "Warn"
    """means it is told, and started all the same: an autoscaler may add larger nodes"""


class ServiceType(StrEnum):
    """How the Service is reached; the installation narrows the choice."""

    ClusterIP = "ClusterIP"
    """means from inside the cluster"""
    NodePort = "NodePort"
    """means through a port of every node too"""
    LoadBalancer = "LoadBalancer"
    """means through a load balancer of the cloud too"""


class Service(SpecModel):
    """The stable Service, named like the ModelDeployment."""

    type: ServiceType = ServiceType.ClusterIP
    """How it is reached. Default ClusterIP."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the Service, among those that the installation allows."""


class Strategy(StrEnum):
    """How a new revision takes over."""

    BlueGreen = "BlueGreen"
    """means beside the old one, and all traffic at once after its test"""


class OutOfMemoryPolicy(SpecModel):
    """When kills for memory lead to an earlier revision, after the bake; before its end one is enough."""

    max_kills: Annotated[Int32, Field(ge=1, le=16)] = 2
    """Kills within the window that are too many. Default 2."""
    window_seconds: Annotated[Int32, Field(ge=1, le=86400)] = 600
    """The window. Default 600."""


class Rollout(SpecModel):
    """How a new revision takes over, and when it is taken back."""

    strategy: Strategy = Strategy.BlueGreen
    """Default BlueGreen."""
    progress_deadline_seconds: Annotated[Int32, Field(ge=1, le=86400)] = 600
    """How long a step may take before the rollout counts as stalled. Default 600."""
    bake_seconds: Annotated[Seconds, Field(le=86400)] = 120
    """How long a new revision is watched after promotion, the previous one still warm. Default 120."""
    oom: OutOfMemoryPolicy = OutOfMemoryPolicy()
    """When kills for memory lead to an earlier revision."""
    revision_history_limit: Annotated[Int32, Field(ge=1, le=100)] = 10
    """How many earlier revisions are kept, at no replicas. Default 10."""
    paused: Bool = False
    """Holds starts and promotions, never a rollback."""
    retry_token: Annotated[str, Field(max_length=128)] = ""
    """Change it to try a rejected revision again."""


class Spec(SpecModel):
    """What is asked for."""

    model: Model
    """Which model is served, and in which version."""
    server: Server
    """The model server."""
    resources: Resources
    """Resources of the model server's container."""
    resource_policy: ResourcePolicy = ResourcePolicy.Enforce
    """What happens to a revision that the namespace, its nodes or its memory limit have no room for. Default Enforce."""
    replicas: Annotated[Int32, Field(ge=0, le=1000, json_schema_extra={"x-crd-default": 1})] = 1
    """Pods of the active revision; a candidate and a warm previous revision follow it. Leave it out where an autoscaler owns it."""
    template: PodTemplate = PodTemplate()
    """The part of the pods' template that is yours."""
    service: Service = Service()
    """The stable Service."""
    disruption: Disruption = Disruption()
    """What drains of nodes may take."""
    smoke: Smoke = Smoke()
    """What is sent to a revision before and after it takes traffic."""
    rollout: Rollout = Rollout()
    """How a new revision takes over, and when it is taken back."""


def parse_spec(raw: Mapping[str, Any]) -> Spec:
    """The spec as typed objects.

    Raises
    ------
    explain.InvalidObjectError
        When a field is unknown, missing or of the wrong form; the message names each with its path,
        its value and what to write instead.
    """
    try:
        return Spec.model_validate(raw)
    except pydantic.ValidationError as error:
        raise explain.InvalidObjectError(explain.problems(error, root=Spec)) from None
