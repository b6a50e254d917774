"""What the tests of the webhook share: the chart's configuration, and requests of which the answer is looked at."""

import re
from dataclasses import dataclass
from typing import Any

from tests.charts import rendering
from tests.support import control_plane, processes, specs
from tfserving_operator.adapters.kube import resources
from tfserving_operator.api import constants

SYSTEM = "system"
"""The operator's own namespace, which the webhook is not asked about."""
TEAM = "vision"
CREATED = 201
HOOK = "modeldeployments.tfserving.dev"
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the API server said."""

    code: int
    body: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[str]:
        found = (self.body.get("details") or {}).get("causes") or []
        return [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in found]


def ask(
    api: control_plane.ControlPlane, method: str, path: str, body: Any = None, *, patch: bool = False
) -> Answer:
    """One request, refused or not; unknown fields are refused, as for kubectl."""
    kind = "application/merge-patch+json" if patch else "application/json"
    url = api.account.server + path + ("&" if "?" in path else "?") + "fieldValidation=Strict"
    answer = api.session.request(method, url, json=body, headers={"Content-Type": kind}, timeout=30)
    warned = tuple(
        text.replace('\\"', '"').replace("\\\\", "\\")
        for text in _WARNING.findall(answer.headers.get("Warning", ""))
    )
    # Of a path that is not served yet there is a page in plain text
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return Answer(code=answer.status_code, body=answer.json() if is_json else {}, warnings=warned)


def path(namespace: str, name: str = "") -> str:
    """Of a ModelDeployment, or of all of a namespace."""
    return resources.MODEL_DEPLOYMENTS.path(namespace=namespace, name=name)


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A ModelDeployment."""
    return {
        "apiVersion": constants.API_VERSION,
        "kind": constants.KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


def make_namespaces(api: control_plane.ControlPlane) -> None:
    """The operator's, and one of a team."""
    for name in (SYSTEM, TEAM):
        ask(api, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def install(api: control_plane.ControlPlane, port: int, *, failure_policy: str = "Fail") -> str:
    """Put the chart's configuration in place, for a webhook on loopback; the result is its name."""
    documents = rendering.render("webhook.enabled=true", f"webhook.failurePolicy={failure_policy}")
    made = rendering.one(documents, "ValidatingWebhookConfiguration")
    (hook,) = made["webhooks"]
    assert hook["clientConfig"].pop("service")["path"] == "/validate"
    hook["clientConfig"]["url"] = f"https://127.0.0.1:{port}/validate"
    kind = resources.VALIDATING_WEBHOOKS
    ask(api, "DELETE", kind.path(namespace="", name=made["metadata"]["name"]))
    answer = ask(api, "POST", kind.path(namespace=""), made)
    assert answer.code == 201, answer.body
    return str(made["metadata"]["name"])


def uninstall(api: control_plane.ControlPlane) -> None:
    """Take the configuration away, and wait until nobody is asked any more."""
    kind = resources.VALIDATING_WEBHOOKS
    for each in ask(api, "GET", kind.path(namespace="")).body["items"]:
        ask(api, "DELETE", kind.path(namespace="", name=each["metadata"]["name"]))
    bad = manifest("x", specs.make_raw(server={"flags": {"enable_bathing": "true"}}))
    processes.wait_for(lambda: ask(api, "POST", f"{path(TEAM)}?dryRun=All", bad).code == CREATED)


def apply_crd(api: control_plane.ControlPlane, definition: dict[str, Any]) -> None:
    """Create a definition, or put it in the place of the one that is there."""
    name = definition["metadata"]["name"]
    known = ask(api, "GET", f"{_CRDS}/{name}")
    if known.code == 404:
        answer = ask(api, "POST", _CRDS, definition)
    else:
        metadata = {**definition["metadata"], "resourceVersion": known.body["metadata"]["resourceVersion"]}
        answer = ask(api, "PUT", f"{_CRDS}/{name}", {**definition, "metadata": metadata})
    assert answer.code in (200, 201), answer.body
