"""The operator's image: what is in it, how large it is, who it runs as, and its bill of materials."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cyclonedx import schema
from cyclonedx.validation import json as validation

from local import progress as progresses
from local.demo import installation
from local.images import bill, builds, contents, licences, made

pytestmark = pytest.mark.cluster

PROGRESS = progresses.Progress(name="test")
MEGABYTE = 1_000_000
REQUIREMENTS = installation.checkout() / "requirements" / "operator.txt"


@pytest.fixture(scope="module")
def base() -> contents.Contents:
    return contents.read(made.base(PROGRESS))


@pytest.fixture(scope="module")
def image() -> contents.Contents:
    return contents.read(builds.archive_of(installation.operator_build(), PROGRESS))


@pytest.fixture(scope="module")
def files(image: contents.Contents, base: contents.Contents) -> dict[str, int]:
    """The mode of each regular file that the image adds to its base."""
    return {f"/{m.name}": m.mode for m, _ in image.files(*image.above(base)) if m.isfile()}


@pytest.fixture(scope="module")
def billed(
    image: contents.Contents, base: contents.Contents, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("sbom")
    return folder, dict(bill.write(folder, image, base))


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> dict[str, str]:
    """Versions by name, of the lock file."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^ \\;]+)", REQUIREMENTS.read_text(), re.MULTILINE)
    return {normal(name): version for name, version in found}


def test_it_is_less_than_200_mb_above_its_base(image: contents.Contents, base: contents.Contents):
    above = image.size(*image.above(base)) / MEGABYTE
    print(f"{above:.0f} MB above a base of {base.size(*base.layers) / MEGABYTE:.0f} MB")
    assert above < 200


def test_a_new_version_of_the_operator_is_a_small_layer_on_the_same_packages(image: contents.Contents):
    *_, packages, code = image.layers
    sizes = (image.size(packages) / MEGABYTE, image.size(code) / MEGABYTE)
    print("packages {:.0f} MB, code {:.1f} MB".format(*sizes))
    assert sizes[1] < 10 < sizes[0]


def test_it_runs_as_somebody_who_is_not_root_and_starts_the_operator(image: contents.Contents):
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["tfserving-operator"]
    assert image.config["Cmd"] == ["run"]


def test_it_adds_nothing_that_its_user_could_change_or_that_takes_roots_rights(files: dict[str, int]):
    assert files
    writable = [path for path, mode in files.items() if mode & stat.S_IWOTH]
    privileged = [path for path, mode in files.items() if mode & (stat.S_ISUID | stat.S_ISGID)]
    assert (writable, privileged) == ([], [])


def test_it_holds_no_compiler_no_installer_no_tensorflow_and_no_tests(files: dict[str, int]):
    programs = {Path(path).name for path in files if Path(path).parent.name in {"bin", "sbin"}}
    assert programs == {"tfserving-operator"}
    packages = {path.partition("/site-packages/")[2].partition("/")[0] for path in files}
    assert "/opt/tfserving-operator/app/tfserving_operator/cli/__init__.py" in files
    assert not packages & {"pip", "setuptools", "wheel", "tensorflow", "tensorflow_serving", "pytest"}
    assert not [path for path in files if "/tests/" in path]


def test_it_holds_the_packages_of_the_lock_file_and_no_others(files: dict[str, int]):
    folders = {path.partition("/site-packages/")[2].partition("/")[0] for path in files}
    pairs = (f.removesuffix(".dist-info").rsplit("-", 1) for f in folders if f.endswith(".dist-info"))
    assert {normal(name): version for name, version in pairs} == required()


def test_every_package_of_the_lock_file_has_a_hash():
    for line in REQUIREMENTS.read_text().replace("\\\n", "").splitlines():
        assert not line.strip() or "--hash=sha256:" in line, line


def test_its_bill_is_a_valid_cyclonedx_document_of_exactly_its_packages(billed: tuple[Path, dict[str, Any]]):
    folder, told = billed
    text = (folder / bill.BILL).read_text()
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert {normal(c["name"]): c["version"] for c in told["components"]} == required()
    assert told["metadata"]["component"]["name"] == "tfserving-operator"
    assert "serialNumber" not in told


def test_every_licence_in_it_is_known_and_accepted(billed: tuple[Path, dict[str, Any]]):
    folder, told = billed
    assert licences.unfit(told) == []
    listed = (folder / bill.LICENCES).read_text()
    assert all(f"| {c['name']} | {c['version']} | " in listed for c in told["components"])


@pytest.mark.parametrize(
    "told", [[], [{"expression": "GPL-3.0-only"}], [{"expression": "MIT OR AGPL-3.0-only"}]]
)
def test_a_licence_that_is_missing_or_not_accepted_is_told_of(told: list[dict[str, str]]):
    component = {"name": "strange", "version": "1", "licenses": told}
    found = licences.unfit(licences.with_spdx({"components": [component]}))
    assert [name for name, _ in found] == ["strange"]
