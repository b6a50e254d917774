"""The alert rules, by promtool's own unit tests, and a runbook page for each."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts import judging, rendering

pytestmark = pytest.mark.cluster

CASES = Path(__file__).parent / "data" / "alerts_test.yaml"
RUNBOOKS = rendering.CHECKOUT / "docs" / "runbooks"
RENDERED = "metrics.prometheusRule.enabled=true"


def rules() -> list[dict[str, Any]]:
    """The alert rules as the chart renders them."""
    found = rendering.one(rendering.render(RENDERED), "PrometheusRule")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def rule_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "alerts.yaml"
    path.write_text(yaml.safe_dump(rendering.one(rendering.render(RENDERED), "PrometheusRule")["spec"]))
    return path


def test_prometheus_takes_the_rules(rule_file: Path) -> None:
    said = judging.promtool("check", "rules", "--lint=all", "--lint-fatal", rule_file)
    assert f"{len(rules())} rules found" in said


def test_alerts_fire_when_they_should_and_only_then(rule_file: Path) -> None:
    cases = yaml.safe_load(CASES.read_text())
    path = rule_file.with_name("cases.yaml")
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], **cases}))
    assert "SUCCESS" in judging.promtool("test", "rules", path)


def test_every_alert_is_seen_to_fire_and_to_keep_silent() -> None:
    cases = yaml.safe_load(CASES.read_text())
    seen = [
        (case["alertname"], bool(case["exp_alerts"])) for t in cases["tests"] for case in t["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in rules()}
    assert {name for name, fires in seen if fires} == names
    assert {name for name, fires in seen if not fires} == names


def test_every_alert_has_a_page_that_tells_what_to_do() -> None:
    for rule in rules():
        slug = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", rule["alert"]).lower()
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{slug}.md"
        page = (RUNBOOKS / f"{slug}.md").read_text()
        assert page.startswith(f"# {rule['alert']}\n")
        for heading in ("## What it means", "## Find the cause", "## Put it right"):
            assert heading in page, slug
        assert f"({slug}.md)" in (RUNBOOKS / "index.md").read_text()


def test_there_is_no_page_without_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"index"}
    assert pages == {Path(rule["annotations"]["runbook_url"]).stem for rule in rules()}


def test_alerts_lead_to_the_pages_of_the_installation() -> None:
    found = rendering.render(
        RENDERED, "metrics.prometheusRule.runbookBaseURL=https://wiki.example.org/serving/"
    )
    rule = rendering.one(found, "PrometheusRule")["spec"]["groups"][0]["rules"][0]
    assert rule["annotations"]["runbook_url"] == (
        "https://wiki.example.org/serving/tfserving-operator-absent.md"
    )


def test_every_alert_has_a_severity_that_routes_know() -> None:
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning"}
