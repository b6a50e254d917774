"""The manifests against the schemas of each version of Kubernetes that the chart is for, by kubeconform."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.charts import schemas, tools
from tests.charts import rendering
from tests.charts.test_goldens import MATRIX

pytestmark = pytest.mark.cluster

FOREIGN = {"PodMonitor", "ServiceMonitor", "PrometheusRule", "Certificate", "Issuer"}
"""Kinds of the Prometheus Operator and of cert-manager: Kubernetes has no schema of them."""


def conform(version: str, *manifests: Path) -> dict[str, Any]:
    """What kubeconform says, as JSON."""
    done = subprocess.run(
        [
            *(str(tools.ensure_kubeconform()), "-strict", "-summary", "-verbose", "-output", "json"),
            *("-schema-location", f"{schemas.ensure(version)}/{schemas.LOCATION}"),
            *("-skip", ",".join(sorted(FOREIGN)), *map(str, manifests)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("manifests")
    found = []
    for name, values in MATRIX.items():
        path = folder / f"{name}.yaml"
        path.write_text(rendering.text(values=rendering.canonical(values), crd=name == "defaults"))
        found.append(path)
    return found


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_every_manifest_of_the_matrix_fits(version: str, manifests: list[Path]) -> None:
    said = conform(version, *manifests)
    wrong = [r for r in said["resources"] if r["status"] not in {"statusValid", "statusSkipped"}]
    assert wrong == []
    assert said["summary"]["valid"] > 60
    assert {r["kind"] for r in said["resources"] if r["status"] == "statusSkipped"} == FOREIGN


def test_the_schemas_are_strict_enough_to_notice(tmp_path: Path) -> None:
    deployment = rendering.one(rendering.render(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(deployment))
    (found,) = conform("v1.34.4", path)["resources"]
    assert found["status"] == "statusInvalid"
    assert "readOnlyRootFilesystem" in found["msg"]


def test_the_versions_begin_with_the_oldest_that_the_chart_takes() -> None:
    chart = yaml.safe_load((rendering.CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == ">=1.30.0-0"
    assert min(schemas.VERSIONS).startswith("v1.30.")
