"""Builders of the objects that belong to a ModelDeployment; one module for each kind."""

from tfserving_operator.core.workloads.budgets import build_budget
from tfserving_operator.core.workloads.configmaps import build_config_map, build_pin
from tfserving_operator.core.workloads.deployments import INSPECT_RESOURCES, build_deployment
from tfserving_operator.core.workloads.flags import OWNED as OWNED_FLAGS
from tfserving_operator.core.workloads.flags import cores, cpu_limit, request_threads
from tfserving_operator.core.workloads.names import model_name, pin_name
from tfserving_operator.core.workloads.networks import build_network_policy
from tfserving_operator.core.workloads.services import NO_REVISION, build_service, service_patch

__all__ = [
    "INSPECT_RESOURCES",
    "NO_REVISION",
    "OWNED_FLAGS",
    "build_budget",
    "build_config_map",
    "build_deployment",
    "build_network_policy",
    "build_pin",
    "build_service",
    "cores",
    "cpu_limit",
    "model_name",
    "pin_name",
    "request_threads",
    "service_patch",
]
