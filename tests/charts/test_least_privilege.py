"""An operator with the chart's settings and a token of the chart's account: it is refused nothing that it asks for."""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
import yaml

from local.demo import audit
from tests.charts import releasing
from tests.support import control_plane, processes, rights, specs

pytestmark = pytest.mark.cluster

MODELS = "/apis/tfserving.dev/v1alpha1/namespaces/vision/modeldeployments"


def start(installed: releasing.Installation) -> processes.Operator:
    """The operator's process, as the chart's pod would run it."""
    where, folder = installed.api, installed.folder
    settings = installed.get(f"/api/v1/namespaces/{releasing.SYSTEM}/configmaps/{releasing.RELEASE}")
    config = yaml.safe_load(settings["data"]["config.yaml"])
    port, webhook_port = control_plane.free_ports(2)
    if "webhookPort" in config:
        config["webhookPort"] = webhook_port
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    kubeconfig = yaml.safe_load(where.kubeconfig.read_text())
    kubeconfig["users"] = [{"name": "u", "user": {"token": installed.token()}}]
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    log = folder / "operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tfserving_operator", "run", "--http-port", str(port)),
                *("--config", folder / "config.yaml", "--kubeconfig", folder / "kubeconfig"),
            ],
            env={"POD_NAME": "op-0", "POD_NAMESPACE": releasing.SYSTEM, "PATH": "/usr/bin:/bin"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return processes.Operator(process=process, port=port, log=log)


@pytest.fixture
def name() -> str:
    """Of a ModelDeployment that nothing is left of: nobody collects what an earlier one owned."""
    return f"least-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=[(), ("watchNamespaces={vision}",)], ids=["cluster", "namespaces"])
def operator(
    installed: releasing.Installation, name: str, request: pytest.FixtureRequest
) -> Iterator[processes.Operator]:
    installed.upgrade("replicas=0", *request.param)
    running = start(installed)
    try:
        processes.wait_for(running.is_ready)
        yield running
    finally:
        running.stop()
        if installed.is_there(f"{MODELS}/{name}"):
            installed.api.request("DELETE", f"{MODELS}/{name}")


def refused(operator: processes.Operator) -> list[str]:
    """The series of requests that were forbidden."""
    lines = operator.ask("metrics").text.splitlines()
    requests = (line for line in lines if line.startswith("tfserving_operator_api_requests_total"))
    return [line for line in requests if 'code="403"' in line]


def test_it_fills_its_caches_leads_and_starts_a_model_without_one_refusal(
    operator: processes.Operator, installed: releasing.Installation, name: str
) -> None:
    api = installed.api
    raw = specs.make_raw()
    claim = {
        "metadata": {"name": raw["model"]["uri"].removeprefix("pvc://").partition("/")[0]},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    claims = "/api/v1/namespaces/vision/persistentvolumeclaims"
    if not installed.is_there(f"{claims}/{claim['metadata']['name']}"):
        api.request("POST", claims, claim)
        path = f"{claims}/{claim['metadata']['name']}/status"
        api.request("PATCH", path, {"status": {"phase": "Bound"}}, patch=True)
    model = {"apiVersion": "tfserving.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name}}
    api.request("POST", MODELS, {**model, "spec": raw})
    selector = f"labelSelector=tfserving.dev/model-deployment={name}"
    deployments = f"/apis/apps/v1/namespaces/vision/deployments?{selector}"
    processes.wait_for(lambda: installed.get(deployments)["items"])
    processes.wait_for(lambda: operator.count("tfserving_operator_api_requests_total", 'resource="events"'))
    seen = installed.get(f"{MODELS}/{name}")["status"]
    assert seen["phase"] == "Starting"
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{releasing.SYSTEM}/leases/tfserving-operator"
    assert installed.get(lease)["spec"]["holderIdentity"] == "op-0"
    assert operator.count("tfserving_operator_leading") == 1.0
    assert refused(operator) == []


def granted(installed: releasing.Installation) -> set[rights.Right]:
    """What the release gives the operator."""
    account = {"name": releasing.RELEASE, "namespace": releasing.SYSTEM}
    manifest = installed.helm("get", "manifest", releasing.RELEASE)
    return rights.granted(yaml.safe_load_all(manifest), account)


@pytest.mark.parametrize("operator", [("webhook.enabled=true",)], indirect=True)
def test_it_makes_the_webhooks_certificate_renews_it_and_needs_all_rights_that_are_given_for_that(
    operator: processes.Operator, installed: releasing.Installation
) -> None:
    began = time.time()

    def authority() -> str:
        (hook,) = installed.get(releasing.WEBHOOK)["webhooks"]
        return str(hook["clientConfig"].get("caBundle", ""))

    processes.wait_for(authority)
    first = authority()
    path = f"/api/v1/namespaces/{releasing.SYSTEM}/secrets/{releasing.RELEASE}-webhook-tls"
    assert installed.get(path)["data"]["ca.crt"] == first
    assert refused(operator) == []
    operator.stop()
    spoilt = {"data": dict.fromkeys(("ca.crt", "tls.crt", "tls.key"), "c3BvaWx0")}
    installed.api.request("PATCH", path, spoilt, patch=True)
    again = start(installed)
    try:
        processes.wait_for(lambda: authority() not in {first, spoilt["data"]["ca.crt"]})
        assert refused(again) == []
    finally:
        again.stop()
    given = granted(installed)
    installed.upgrade("replicas=0")
    for_the_webhook = given - granted(installed)
    user = f"system:serviceaccount:{releasing.SYSTEM}:{releasing.RELEASE}"
    entries = [e for e in audit.read(installed.api.audit_log, since=began - 60) if e.user == user]
    assert {right.resource for right in for_the_webhook} == {"secrets", "validatingwebhookconfigurations"}
    assert rights.unused(for_the_webhook, rights.used(entries)) == []
