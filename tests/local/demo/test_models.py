"""The exported versions are what the demo says of them."""

import itertools

import pytest

from local.demo import models
from local.progress import Progress


@pytest.fixture(scope="session")
def exported() -> models.Models:
    return models.ensure(Progress(name="tests"))


def test_the_good_versions_are_accurate_and_the_one_that_ignores_the_picture_guesses(exported):
    assert all(exported.accuracy[version] > 0.95 for version in (1, 4, 5, 6))
    assert exported.accuracy[2] < 0.2


def test_each_version_can_be_told_from_every_other_by_each_answer(exported):
    for one, other in itertools.combinations(models.VERSIONS, 2):
        for mine, theirs in zip(exported.answers[one], exported.answers[other], strict=True):
            assert max(abs(a - b) for a, b in zip(mine, theirs, strict=True)) > 1e-3


def test_version_2_answers_alike_and_version_3_does_not(exported):
    assert max(max(column) - min(column) for column in zip(*exported.answers[2], strict=True)) < 1e-6
    assert max(max(column) - min(column) for column in zip(*exported.answers[3], strict=True)) > 0.5


def test_there_are_pictures_of_every_digit_with_pixels_from_0_to_16(exported):
    assert set(exported.labels) == set(range(10))
    assert min(map(min, exported.images)) == 0
    assert max(map(max, exported.images)) == 16


def test_a_second_call_finds_the_same_folder(exported):
    assert models.ensure(Progress(name="tests")).folder == exported.folder


def test_pods_of_any_user_can_read_the_files(exported):
    for path in (exported.folder, *exported.folder.rglob("*")):
        assert path.stat().st_mode & (0o005 if path.is_dir() else 0o004)
