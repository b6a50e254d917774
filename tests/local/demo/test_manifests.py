"""The demo's objects are what the operator's types take, and tell the versions apart as the demo says."""

import json

import pytest

from local.demo import manifests, models
from local.progress import Progress
from tfserving_operator.api import types


@pytest.fixture(scope="session")
def known() -> models.Models:
    return models.ensure(Progress(name="tests"))


def spec_of(version, known):
    return manifests.model_deployment(version, known=known, image="an/image:1")["spec"]


@pytest.mark.parametrize("version", models.VERSIONS)
def test_every_version_is_a_spec_that_the_operator_takes(version, known):
    assert types.parse_spec(spec_of(version, known)).model.version == version


def test_the_cases_fit_into_an_object(known):
    assert len(json.dumps(spec_of(1, known)["smoke"])) < 50_000


def test_only_versions_that_the_goldens_are_meant_to_pass_are_within_their_tolerance(known):
    passed = [v for v in models.VERSIONS if worst_difference(v, known) < manifests.TOLERANCE]
    assert passed == [1, 4, 5, 6]


def worst_difference(version, known):
    goldens_of = 6 if version == 6 else 1
    chosen = [known.labels.index(digit) for digit in range(10)]
    return max(
        abs(a - b)
        for i in chosen
        for a, b in zip(known.answers[version][i], known.answers[goldens_of][i], strict=True)
    )


def test_version_6_would_fail_the_goldens_of_version_1(known):
    chosen = [known.labels.index(digit) for digit in range(10)]
    assert (
        max(abs(a - b) for i in chosen for a, b in zip(known.answers[6][i], known.answers[1][i], strict=True))
        > 2 * manifests.TOLERANCE
    )


def test_nothing_but_version_and_goldens_differs_between_versions(known):
    def rest(version):
        spec = spec_of(version, known)
        del spec["model"]["version"], spec["smoke"]["cases"]
        return spec

    assert all(rest(version) == rest(1) for version in models.VERSIONS)
