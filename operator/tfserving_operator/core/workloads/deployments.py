"""The Deployment of a revision: the inspector reads the SavedModel, then the server serves one version of it."""

from typing import Any, Final

from tfserving_operator.api import constants, types
from tfserving_operator.core import snapshot, sources
from tfserving_operator.core.workloads import flags, names

INSPECT_RESOURCES: Final = {"cpu": "250m", "memory": "256Mi"}
"""Requests and limits alike, apart from the server's: a kill for memory in here says nothing about the model."""
_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_MODEL_VOLUME: Final = "model"
_CONFIG_VOLUME: Final = "config"
_PIN_VOLUME: Final = "pin"
_TMP_VOLUME: Final = "tmp"


def _dump(value: Any) -> Any:
    """A part of the spec as the user wrote it."""
    return value.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _volumes(spec: types.Spec, revision: str) -> list[dict[str, Any]]:
    claim = sources.parse(spec.model.uri).claim
    return [
        {"name": _MODEL_VOLUME, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
        {"name": _CONFIG_VOLUME, "configMap": {"name": revision}},
        # There only after a pass: pods that start later must find the same model
        {"name": _PIN_VOLUME, "configMap": {"name": names.pin_name(revision), "optional": True}},
        {"name": _TMP_VOLUME, "emptyDir": {}},
    ]


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path, "readOnly": True}


def _inspect_arguments(spec: types.Spec) -> list[str]:
    """What the inspector is to do beside reading the model; nothing for the defaults."""
    arguments = []
    if spec.resource_policy is not types.ResourcePolicy.Enforce:
        arguments += ["--resource-policy", str(spec.resource_policy)]
    if flags.keeps_weights_elsewhere(spec):
        arguments += ["--weights-elsewhere"]
    return arguments


def _server_memory_limit() -> dict[str, Any]:
    """The limit as it is in the pod: an admission may have changed it since it was asked for."""
    limit = {"containerName": constants.CONTAINER_SERVER, "resource": "limits.memory", "divisor": "1"}
    return {"name": constants.ENV_SERVER_MEMORY_LIMIT, "valueFrom": {"resourceFieldRef": limit}}


def _inspect_container(spec: types.Spec, policy: snapshot.Policy) -> dict[str, Any]:
    return {
        "name": constants.CONTAINER_INSPECT,
        "image": policy.inspect_image,
        "imagePullPolicy": policy.image_pull_policy,
        "command": [
            "tfserving-operator",
            "inspect",
            "--model-dir",
            names.model_path(spec),
            "--version",
            str(spec.model.version),
            "--signature",
            spec.model.signature_name,
            "--expect-digest-file",
            f"{names.PIN_PATH}/{names.DIGEST_KEY}",
            *_inspect_arguments(spec),
        ],
        "env": [_server_memory_limit()],
        "resources": {"requests": dict(INSPECT_RESOURCES), "limits": dict(INSPECT_RESOURCES)},
        "securityContext": dict(_CONTAINER_SECURITY),
        # It writes its report itself; a log would not be one
        "terminationMessagePolicy": "File",
        "volumeMounts": [_mount(_MODEL_VOLUME, names.MODELS_PATH), _mount(_PIN_VOLUME, names.PIN_PATH)],
    }


def _readiness_probe(*, name: str, version: int) -> dict[str, Any]:
    return {
        # Metadata is 404 until this very version is AVAILABLE; the status route is 200 even when it failed
        "httpGet": {
            "path": f"/v1/models/{name}/versions/{version}/metadata",
            "port": constants.PORT_NAME_REST,
        },
        "periodSeconds": 2,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }


def _server_container(owner: snapshot.Owner, spec: types.Spec, policy: snapshot.Policy) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": constants.CONTAINER_SERVER,
        "image": spec.server.image,
        "imagePullPolicy": policy.image_pull_policy,
        "command": [flags.SERVER_COMMAND],
        "args": flags.build_arguments(spec),
        "ports": [
            {"name": constants.PORT_NAME_GRPC, "containerPort": constants.PORT_GRPC, "protocol": "TCP"},
            {"name": constants.PORT_NAME_REST, "containerPort": constants.PORT_REST, "protocol": "TCP"},
        ],
        "resources": _dump(spec.resources),
        "securityContext": dict(_CONTAINER_SECURITY),
        # No liveness probe: ports are closed while a model loads, and a busy server must not be killed
        "readinessProbe": _readiness_probe(name=names.model_name(owner, spec), version=spec.model.version),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            _mount(_MODEL_VOLUME, names.MODELS_PATH),
            _mount(_CONFIG_VOLUME, names.CONFIG_PATH),
            {"name": _TMP_VOLUME, "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }
    if spec.server.env:
        container["env"] = [{"name": variable.name, "value": variable.value} for variable in spec.server.env]
    if policy.drain_seconds:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": policy.drain_seconds}}}
    return container


def _security_context(spec: types.Spec) -> dict[str, Any]:
    asked = spec.template.spec.security_context.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"runAsNonRoot": True, **{key: value for key, value in asked.items() if value != []}}


def _affinity(owner: snapshot.Owner, spec: types.Spec, *, colocate: bool) -> dict[str, Any] | None:
    """The user's affinity, and with ``colocate`` the node of whatever pod of ours holds the claim already."""
    asked = spec.template.spec.affinity
    affinity: dict[str, Any] = _dump(asked) if asked else {}
    if colocate:
        # A pod that matches its own term may be the first
        term = {
            "labelSelector": {"matchLabels": {constants.LABEL_NAME: owner.name}},
            "topologyKey": "kubernetes.io/hostname",
        }
        near = affinity.setdefault("podAffinity", {})
        near.setdefault("requiredDuringSchedulingIgnoredDuringExecution", []).append(term)
    return affinity or None


def _pod_spec(
    owner: snapshot.Owner, spec: types.Spec, policy: snapshot.Policy, *, revision: str, colocate: bool
) -> dict[str, Any]:
    asked = spec.template.spec
    optional = {
        "nodeSelector": dict(asked.node_selector),
        "tolerations": [_dump(toleration) for toleration in asked.tolerations],
        "affinity": _affinity(owner, spec, colocate=colocate),
        "topologySpreadConstraints": [_dump(part) for part in asked.topology_spread_constraints],
        "serviceAccountName": asked.service_account_name,
        "imagePullSecrets": [{"name": secret.name} for secret in asked.image_pull_secrets],
        "priorityClassName": asked.priority_class_name,
        "runtimeClassName": asked.runtime_class_name,
    }
    return {
        "initContainers": [_inspect_container(spec, policy)],
        "containers": [_server_container(owner, spec, policy)],
        "volumes": _volumes(spec, revision),
        # The server has no handler for SIGTERM: as PID 1 it would ignore it and be killed after the grace
        "shareProcessNamespace": True,
        "automountServiceAccountToken": asked.service_account_name is not None,
        "enableServiceLinks": False,
        "securityContext": _security_context(spec),
        "terminationGracePeriodSeconds": asked.termination_grace_period_seconds,
        **{key: value for key, value in optional.items() if value},
    }


def build_deployment(
    *,
    owner: snapshot.Owner,
    spec: types.Spec,
    policy: snapshot.Policy,
    revision: str,
    replicas: int,
    colocate: bool,
) -> dict[str, Any]:
    """The Deployment `<revision>`; its template is never changed, so that an operator's upgrade restarts nothing."""
    labels = names.labels(owner, revision=revision)
    meta = names.metadata(owner, revision, revision=revision)
    meta["annotations"] = {
        constants.ANNOTATION_MODEL_NAME: names.model_name(owner, spec),
        constants.ANNOTATION_MODEL_VERSION: str(spec.model.version),
        constants.ANNOTATION_SIGNATURE_NAME: spec.model.signature_name,
        constants.ANNOTATION_MEMORY_LIMIT: spec.resources.limits["memory"],
        constants.ANNOTATION_RESOURCE_POLICY: str(spec.resource_policy),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {
                "matchLabels": {
                    constants.LABEL_NAME: owner.name,
                    constants.LABEL_REVISION: revision,
                }
            },
            # Only `kubectl rollout restart` ever uses it, and then nothing that serves goes first
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            # Going back is the operator's: earlier revisions are Deployments of their own
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": spec.rollout.progress_deadline_seconds,
            "template": {
                "metadata": {
                    "labels": {**spec.template.metadata.labels, **labels},
                    "annotations": {
                        "kubectl.kubernetes.io/default-container": constants.CONTAINER_SERVER,
                        **spec.template.metadata.annotations,
                    },
                },
                "spec": _pod_spec(owner, spec, policy, revision=revision, colocate=colocate),
            },
        },
    }
