"""The PodMonitor finds the pods that the operator makes, and a real Prometheus reads what it points at."""

import subprocess
from pathlib import Path

import pytest
import yaml

from local.charts import tools
from tests.charts import rendering
from tests.charts.test_prometheus import Prometheus, wait_for
from tests.local.modelserver import servers
from tests.support import control_plane, exports, specs
from tfserving_operator.core import workloads

pytestmark = pytest.mark.cluster

SERVED = ":tensorflow:serving:request_count"


def monitor(*sets: str) -> rendering.Object:
    rendered = rendering.render("metrics.podMonitor.enabled=true", *sets)
    return dict(rendering.one(rendered, "PodMonitor")["spec"])


def test_there_is_none_unless_it_is_asked_for() -> None:
    assert rendering.of(rendering.render(), "PodMonitor") == []


def test_it_selects_the_operators_pods_and_names_a_port_of_theirs() -> None:
    made = workloads.build_deployment(
        owner=specs.OWNER,
        spec=specs.make_spec(),
        policy=specs.POLICY,
        revision="resnet-a1",
        replicas=1,
        colocate=False,
    )
    template = made["spec"]["template"]
    spec = monitor()
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert set(spec["podTargetLabels"]) <= set(template["metadata"]["labels"])
    (endpoint,) = spec["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == 8501


def test_it_looks_where_the_operator_does() -> None:
    assert monitor()["namespaceSelector"] == {"any": True}
    assert monitor("watchNamespaces={vision,speech}")["namespaceSelector"] == {
        "matchNames": ["vision", "speech"]
    }


def test_a_real_prometheus_reads_a_server_with_the_configuration_that_the_operator_writes(
    tmp_path: Path,
) -> None:
    models = exports.cached("modelserver", Path(servers.__file__).with_name("export.py"))
    data = workloads.build_config_map(owner=specs.OWNER, spec=specs.make_spec(), revision="resnet-a1")["data"]
    (tmp_path / "monitoring.config").write_text(data["monitoring.config"])
    (endpoint,) = monitor()["podMetricsEndpoints"]
    (port,) = control_plane.free_ports(1)
    with servers.running(
        tmp_path,
        "--model_name=line",
        f"--model_base_path={models / 'line'}",
        f"--monitoring_config_file={tmp_path / 'monitoring.config'}",
    ) as server:
        servers.wait_for(lambda: server.get("/v1/models/line/metadata").status == 200, "the model is loaded")
        assert server.predict("line", {"instances": [1.0]}).status == 200
        target = {"targets": [f"127.0.0.1:{server.port}"], "labels": {"pod": "resnet-a1-x"}}
        job = {"job_name": "models", "metrics_path": endpoint["path"], "static_configs": [target]}
        settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    tools.ensure_prometheus() / "prometheus",
                    f"--config.file={tmp_path / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={tmp_path / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            asked = Prometheus(port)
            wait_for(lambda: asked.query(f'{{__name__="{SERVED}"}}'))
            found = {each["metric"]["status"]: each for each in asked.query(f'{{__name__="{SERVED}"}}')}
        finally:
            process.terminate()
            process.wait(20)
    assert found["OK"]["metric"]["model_name"] == "line"
    assert found["OK"]["metric"]["pod"] == "resnet-a1-x"
