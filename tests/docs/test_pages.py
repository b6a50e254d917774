"""What the documentation says is true, as far as that can be told without a cluster."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from local.docgen.__main__ import main as docgen
from tests.docs import pages
from tfserving_operator.api import constants, reasons, types
from tfserving_operator.core import snapshot, validation
from tfserving_operator.core.smoke import cases

CHART = pages.CHECKOUT / "charts" / "tfserving-operator"
VENV = pages.CHECKOUT / ".venv" / "bin"

RESOURCES = [
    (block, d) for block, d in pages.documents() if isinstance(d, dict) and d.get("kind") == constants.KIND
]
CASES = [
    (block, d)
    for block, d in pages.documents()
    if isinstance(d, list)
    and all(isinstance(case, dict) and {"instances", "inputs"} & case.keys() for case in d)
]
TESTED = [block for block in pages.blocks("bash") if block.title == "tested"]


def test_there_is_something_to_test():
    assert len(RESOURCES) > 5
    assert CASES
    assert TESTED


@pytest.mark.parametrize(("block", "resource"), RESOURCES, ids=[str(block) for block, _ in RESOURCES])
def test_an_example_can_be_applied_as_it_stands(block, resource):
    spec = types.parse_spec(resource["spec"])
    policy = snapshot.Policy(inspect_image="operator:1")
    assert validation.validate(spec, owner_name=resource["metadata"]["name"], policy=policy) == ()
    cases.resolve(resource["spec"].get("smoke", {}).get("cases", []))


@pytest.mark.parametrize(("block", "listed"), CASES, ids=[str(block) for block, _ in CASES])
def test_an_example_of_cases_is_read(block, listed):
    assert len(cases.resolve([], [(str(block), block.text)]).cases) == len(listed)


@pytest.mark.parametrize("block", pages.blocks("python"), ids=str)
def test_python_in_the_docs_is_python(block):
    ast.parse(block.text)


@pytest.mark.parametrize("block", TESTED, ids=str)
def test_a_block_that_is_called_tested_runs(block):
    environment = os.environ | {"PATH": f"{VENV}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=pages.CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name_of)
def test_make_targets_that_are_named_exist(page: Path):
    makefiles = "\n".join(
        path.read_text() for path in (pages.CHECKOUT / "Makefile", *(pages.CHECKOUT / "local").glob("*.mk"))
    )
    there = set(re.findall(r"^([a-z][a-z0-9-]*):", makefiles, re.MULTILINE))
    named = set(re.findall(r"(?:^|\s)make ([a-z][a-z0-9-]*)", pages.code(page), re.MULTILINE))
    assert named <= there


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name_of)
def test_links_lead_somewhere(page: Path):
    broken = []
    for link in pages.links(page):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in pages.anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_reason_is_explained():
    text = "\n".join(page.read_text() for page in pages.PAGES)
    assert [reason for reason in reasons.Reason if f"`{reason}`" not in text] == []


def test_every_reason_about_model_input_and_cluster_has_a_remedy():
    going_well = set(list(reasons.Reason)[: list(reasons.Reason).index(reasons.Reason.InvalidSpec)])
    text = "\n".join(path.read_text() for path in (pages.CHECKOUT / "docs" / "causes").glob("*.md"))

    wanted = set(reasons.Reason) - going_well
    assert sorted(reason for reason in wanted if not re.search(rf"\b{reason}\b", text)) == []


def test_generated_parts_are_in_step(capsys):
    assert docgen(["--check"]) == 0, capsys.readouterr().out


def test_the_operators_rights_are_those_that_the_page_lists():
    text = "".join((CHART / "templates" / name).read_text() for name in ("_helpers.tpl", "rbac.yaml"))
    granted: dict[str, set[str]] = {}
    for resources, verbs in re.findall(r"resources: (\[.*\])\n\s*verbs: (\[.*\])", text):
        for resource in yaml.safe_load(resources):
            granted.setdefault(resource, set()).update(yaml.safe_load(verbs))
    page = (pages.CHECKOUT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (`[a-z/`, ]+`) \| ([a-z, ]+) \|", page, re.MULTILINE)
    listed = {
        resource: set(verbs.split(", "))
        for names, verbs in rows
        for resource in re.findall(r"`([^`]+)`", names)
    }
    assert listed == granted


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name_of)
def test_values_of_the_chart_that_are_named_exist(page: Path):
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    groups = "|".join(name for name, value in values.items() if isinstance(value, dict) and value)
    named = re.findall(rf"(?<![\w.])(?:{groups})(?:\.[a-zA-Z]+)+\b(?![./])", pages.code(page))

    def is_there(path: str) -> bool:
        at = values
        for part in path.split("."):
            if not isinstance(at, dict) or part not in at:
                return False
            at = at[part]
        return True

    mine = [path for path in named if not path.startswith(("resources.", "securityContext."))]  # the spec's
    assert [path for path in mine if not is_there(path)] == []
