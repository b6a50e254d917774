"""Messages that the pages quote are those that the operator writes."""

from typing import Any

import pytest

from tests.docs import pages
from tests.support import specs
from tfserving_operator.api import types
from tfserving_operator.core import inspection, snapshot, validation
from tfserving_operator.core.smoke import cases, signatures
from tfserving_operator.inspector import command

SIGNATURE = inspection.Signature(
    method="tensorflow/serving/predict",
    inputs={"image": inspection.Tensor(dtype="DT_FLOAT", shape=(-1, 64))},
    outputs={"probabilities": inspection.Tensor(dtype="DT_FLOAT", shape=(-1, 10))},
)


def quoted(page: str) -> str:
    """The page with its lines joined, since messages are wrapped there."""
    return " ".join((pages.CHECKOUT / "docs" / "causes" / page).read_text().split())


@pytest.mark.parametrize(
    ("page", "changes"),
    [
        ("quantities.md", {"resources": {"limits": {"memory": "500m"}}}),
        ("spec-refused.md", {"server": {"flags": {"enable_bathing": "true"}}}),
        ("spec-refused.md", {"server": {"flags": {"model_name": "x"}}}),
        ("spec-refused.md", {"template": {"spec": {"serviceAccountName": "admin"}}}),
        ("spec-refused.md", {"template": {"spec": {"terminationGracePeriodSeconds": 6}}}),
    ],
)
def test_violations_are_quoted_as_they_are(page: str, changes: dict[str, Any]):
    spec = types.parse_spec(specs.make_raw(**changes))
    policy = snapshot.Policy(inspect_image="operator:1")
    (found,) = validation.validate(spec, owner_name="resnet", policy=policy)
    assert f"{found.field}: {found.message}" in quoted(page)


@pytest.mark.parametrize("instances", [[{"picture": [0.0] * 64}], [[0.0] * 63]])
def test_what_is_wrong_with_a_case_is_quoted_as_it_is(instances: list[Any]):
    case = cases.Case(name="a", instances=instances)
    assert f"case a: {signatures.misfit(case, SIGNATURE)}" in quoted("test-cannot-run.md")


def test_what_is_wrong_with_files_is_quoted_as_it_is(tmp_path):
    (tmp_path / "resnet" / "1").mkdir(parents=True)
    keras = tmp_path / "resnet" / "2" / "model.keras"
    missing = command.inspect(tmp_path / "resnet", 9)
    keras.parent.mkdir()
    keras.write_text("no SavedModel")
    foreign = command.inspect(tmp_path / "resnet", 2)
    for report in (missing, foreign):
        assert report.message.replace(str(tmp_path), "/models") in quoted("model-files.md")
