"""Names on the wire: the API group, labels, annotations, containers, ports."""

from typing import Final

GROUP: Final = "tfserving.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ModelDeployment"
PLURAL: Final = "modeldeployments"
SINGULAR: Final = "modeldeployment"
SHORT_NAME: Final = "tfmd"

FIELD_MANAGER: Final = "tfserving-operator"

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""On every object of ours; its value is `MANAGED_BY`. The informers select by it."""
MANAGED_BY: Final = "tfserving-operator"
LABEL_NAME: Final = "tfserving.dev/model-deployment"
"""On every object of ours: the name of its ModelDeployment."""
LABEL_REVISION: Final = "tfserving.dev/revision"
"""On every object of one revision, pods included: `<name>-<hash>`. The Service selects by it."""
LABEL_SMOKE_CASES: Final = "tfserving.dev/smoke-cases"
"""Set to "true" by users on ConfigMaps with smoke cases, so that changes are noticed at once."""

ANNOTATION_MODEL_VERSION: Final = "tfserving.dev/model-version"
"""On Deployments: the model version that the revision serves."""
ANNOTATION_MODEL_NAME: Final = "tfserving.dev/model-name"
"""On Deployments: the NAME of /v1/models/NAME."""
ANNOTATION_SIGNATURE_NAME: Final = "tfserving.dev/signature-name"
"""On Deployments: the signature that smoke tests call."""
ANNOTATION_ACTIVE_REVISION: Final = "tfserving.dev/active-revision"
"""On the Service: the revision that the operator last flipped it to; patched together with the selector."""
ANNOTATION_USER_ANNOTATIONS: Final = "tfserving.dev/user-annotations"
"""On the Service: keys of the annotations that come from the spec, so that those taken out of it can go."""
ANNOTATION_CASES_DIGEST: Final = "tfserving.dev/cases-digest"
"""On `<revision>-cases`: the digest of the smoke input that the revision passed with."""
ANNOTATION_INPUT_DIGEST: Final = "tfserving.dev/smoke-input-digest"
"""On `<revision>-cases`: the digest of what the spec said of the smoke input then; another one asks for a test."""
ANNOTATION_MODEL_DIGEST: Final = "tfserving.dev/model-digest"
"""On `<revision>-cases`: the digest of the SavedModel that passed."""
ANNOTATION_MODEL_BYTES: Final = "tfserving.dev/model-bytes"
"""On `<revision>-cases`: bytes of the SavedModel's variables and graph."""
ANNOTATION_MEMORY_LIMIT: Final = "tfserving.dev/memory-limit"
"""On Deployments: the server's memory limit as the user wrote it."""
ANNOTATION_RESOURCE_POLICY: Final = "tfserving.dev/resource-policy"
"""On Deployments: what their inspectors do about a limit below the memory floor."""

ENV_SERVER_MEMORY_LIMIT: Final = "SERVER_MEMORY_LIMIT"
"""In the inspector's environment: the limit of the server's container in bytes, from the kubelet."""

CONTAINER_SERVER: Final = "server"
CONTAINER_INSPECT: Final = "inspect"
PORT_GRPC: Final = 8500
PORT_REST: Final = 8501
PORT_NAME_GRPC: Final = "grpc"
PORT_NAME_REST: Final = "http-rest"

NAME_MAX_LENGTH: Final = 50
"""Of a ModelDeployment: a Service and `<name>-<hash>-cases` are named after it."""
