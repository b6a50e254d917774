"""`validate` on files: the same table as the API server and reconcile, exit codes, JSON for machines."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.support import specs
from tests.support.inputs import INPUTS, Input
from tfserving_operator import cli
from tfserving_operator.core.validation import manifests


def _manifest(given: Input) -> dict[str, Any]:
    return {
        "apiVersion": manifests.API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": given.name},
        "spec": specs.make_raw(**given.changes),
    }


def _run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.main, ["validate", *arguments], input=stdin)


@pytest.fixture(scope="module")
def judged() -> list[dict[str, Any]]:
    """The whole table as one file of many documents."""
    text = yaml.safe_dump_all([_manifest(given) for given in INPUTS])
    done = _run("-", "-o", "json", stdin=text)
    assert done.exit_code == 1
    objects: list[dict[str, Any]] = json.loads(done.stdout)["objects"]
    assert len(objects) == len(INPUTS)
    return objects


@pytest.mark.parametrize("index", range(len(INPUTS)), ids=[given.title for given in INPUTS])
def test_the_command_line_says_of_each_input_what_the_table_says(
    judged: list[dict[str, Any]], index: int
) -> None:
    given, found = INPUTS[index], judged[index]
    assert found["valid"] == (not given.said or not given.is_refused)
    said = [f"{v['field']}: {v['message']}" for v in found["violations"]]
    if given.parses:
        assert said == list(given.said)
    else:
        assert any(given.said[0].split(": ")[0].startswith(v["field"]) for v in found["violations"]), said


def test_a_valid_file_ends_with_0_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "resnet.yaml"
    file.write_text(yaml.safe_dump(_manifest(Input(title="", changes={}))))
    done = _run(str(file))
    assert (done.exit_code, done.stdout) == (0, f"{file}: ModelDeployment resnet: valid\n")


def test_a_wrong_file_ends_with_1_and_names_object_field_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "resnet.yaml"
    wrong = _manifest(Input(title="", changes={"resources": {"limits": {"memory": "500m"}}}))
    wrong["metadata"]["namespace"] = "vision"
    file.write_text(yaml.safe_dump_all([{"kind": "Service"}, wrong]))
    done = _run(str(file))
    assert done.exit_code == 1
    assert done.stdout == (
        f"{file}, document 2: ModelDeployment vision/resnet: invalid\n"
        "  spec.resources.limits.memory: 500m of memory is half a byte: m means a thousandth: write 500Mi\n"
        "1 of 1 ModelDeployments invalid\n"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apiVersion": "tfserving.dev/v1"}, "apiVersion is not served: write tfserving.dev/v1alpha1"),
        ({"metadata": {}}, "metadata.name is required: write metadata.name"),
        ({"metadata": None}, "metadata.name is required"),
        ({"metadata": {"generateName": "x-"}}, "metadata.name is required: write a name"),
        ({"spec": None}, "spec is required"),
        ({"spec": []}, "spec is required"),
        ({"specs": {}}, "specs is not a field of a ModelDeployment"),
    ],
)
def test_what_is_wrong_outside_of_the_spec_is_named(changes: dict[str, Any], said: str) -> None:
    done = _run("-", stdin=yaml.safe_dump(_manifest(Input(title="", changes={})) | changes))
    assert done.exit_code == 1
    assert said in done.stdout


def test_other_kinds_are_left_alone_and_lists_are_looked_into() -> None:
    wrong = _manifest(Input(title="", changes={"model": {"version": 0}}))
    listed = {"kind": "List", "apiVersion": "v1", "items": [{"kind": "Service"}, wrong]}
    assert _run("-", stdin=yaml.safe_dump(listed)).exit_code == 1
    alone = _run("-", stdin="kind: Service\n")
    assert (alone.exit_code, alone.stdout) == (0, "no ModelDeployment in what was given\n")


def test_a_file_that_is_no_yaml_ends_with_1() -> None:
    done = _run("-", stdin="a: [b")
    assert done.exit_code == 1
    assert "cannot be read as YAML" in done.stdout


def test_the_installations_policy_is_judged_only_when_it_is_given(tmp_path: Path) -> None:
    asked = yaml.safe_dump(_manifest(Input(title="", changes={"service": {"type": "LoadBalancer"}})))
    config = tmp_path / "config.yaml"
    config.write_text("allowedServiceTypes: [ClusterIP]\n")
    assert _run("-", stdin=asked).exit_code == 0
    done = _run("-", "--config", str(config), stdin=asked)
    assert done.exit_code == 1
    assert "LoadBalancer is not allowed by this installation: allowed are ClusterIP" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["/not/there.yaml"], ["-", "-o", "xml"], ["--what", "-"]])
def test_a_wrong_call_ends_with_64(arguments: list[str]) -> None:
    assert _run(*arguments, stdin="").exit_code == 64
