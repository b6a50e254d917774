"""Builders of the objects that belong to a ModelDeployment; one module for each kind."""

from tfserving_operator.core.workloads.configmaps import build_config_map, build_pin
from tfserving_operator.core.workloads.deployments import INSPECT_RESOURCES, build_deployment
from tfserving_operator.core.workloads.flags import OWNED as OWNED_FLAGS
from tfserving_operator.core.workloads.names import model_name, pin_name
from tfserving_operator.core.workloads.flags import cores, cpu_limit, request_threads
from tfserving_operator.core.workloads.services import NO_REVISION, build_service, service_patch

__all__ = [
    "INSPECT_RESOURCES",
    "NO_REVISION",
    "OWNED_FLAGS",
    "build_config_map",
    "build_deployment",
    "build_pin",
    "build_service",
    "model_name",
    "pin_name",
    "service_patch",
]
    "cores",
    "cpu_limit",
    "request_threads",
