"""The generated CustomResourceDefinition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tfserving_operator.api import crd

ROOT = Path(__file__).parents[2]
SCHEMA = crd.build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, part in node.get("properties", {}).items():
        yield from _nodes(part, f"{path}.{name}")
    if "items" in node:
        yield from _nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _nodes(node["additionalProperties"], f"{path}{{}}")


NODES = {path: node for part in ("spec", "status") for path, node in _nodes(SCHEMA["properties"][part], part)}
UNTYPED = {
    "spec.smoke.cases[].instances",
    "spec.smoke.cases[].inputs",
    "spec.smoke.cases[].expect.outputs",
}


def test_it_is_structural() -> None:
    for path, node in NODES.items():
        assert not {"$ref", "allOf", "title", "const", "$defs"} & node.keys(), path
        if "x-kubernetes-int-or-string" not in node:
            assert "type" in node or path in UNTYPED, path
            assert not any(choice == {"type": "null"} for choice in node.get("anyOf", ())), path
        assert not ("properties" in node and "additionalProperties" in node), path


def test_only_what_is_sent_to_the_model_is_untyped() -> None:
    assert {
        path for path, node in NODES.items() if node.get("x-kubernetes-preserve-unknown-fields")
    } == UNTYPED


def test_everything_is_bounded() -> None:
    for path, node in NODES.items():
        if path in UNTYPED:
            continue
        match node.get("type"):
            case "string":
                assert "maxLength" in node or "enum" in node or node.get("format") == "date-time", path
            case "array":
                assert "maxItems" in node, path
            case "object":
                assert "properties" in node or "maxProperties" in node, path
            case _:
                pass


def test_nothing_of_a_revision_has_a_default_that_the_api_server_would_write_into_the_spec() -> None:
    defaults = {path for path, node in NODES.items() if "default" in node}
    assert defaults == {"spec.replicas", "status", "status.observedGeneration"}


def test_every_field_of_the_spec_is_described() -> None:
    nowhere = [
        path
        for path, node in NODES.items()
        if path.startswith("spec.")
        and path[-1] not in "]}"
        and not node.get("description")
        and not path.startswith(
            (
                "spec.template.spec.affinity.",
                "spec.template.spec.tolerations[]",
                "spec.template.spec.topology",
            )
        )
        and not path.startswith("spec.template.spec.securityContext.seccompProfile.")
    ]
    assert nowhere == []


def test_the_subresources_are_there() -> None:
    version = crd.build_crd()["spec"]["versions"][0]
    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }


def test_conditions_are_a_map_by_type() -> None:
    conditions = NODES["status.conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == (
        "map",
        ["type"],
    )


def test_an_object_that_nobody_looked_at_does_not_read_as_current() -> None:
    assert NODES["status"]["default"] == {"observedGeneration": -1}
    assert NODES["status.observedGeneration"]["default"] == -1


def test_client_side_apply_has_room_for_it() -> None:
    assert len(crd.render(for_chart=False)) < 200_000


@pytest.mark.parametrize(
    "path", ["crds/modeldeployments.yaml", "charts/tfserving-operator/templates/crd.yaml"]
)
def test_the_files_are_in_step(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert crd.main(["--check", str(ROOT / path)]) == 0, capsys.readouterr().out


def test_a_file_out_of_step_is_shown_and_then_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "crd.yaml"
    path.write_text(crd.render(for_chart=False).replace("shortNames", "longNames"))
    assert crd.main(["--check", str(path)]) == 1
    assert "+    shortNames" in capsys.readouterr().out
    assert crd.main([str(path)]) == 0
    assert crd.main(["--check", str(path)]) == 0
    assert yaml.safe_load(path.read_text()) == crd.build_crd()
