"""Images: what their hash depends on, how pip's settings get into a build, and a real build."""

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from local import cache
from local import progress as progresses
from local.cluster import containers
from local.images import archives, builds, made

PROGRESS = progresses.Progress(name="test")

DOCKERFILE = """
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
ARG GREETING=none
COPY hello.txt /hello.txt
RUN python3 -m pip --version >/dev/null 2>&1; python3 -m venv /venv && /venv/bin/pip config list > /pip.txt
RUN echo "$GREETING" >> /hello.txt
USER 65532:65532
"""


@pytest.fixture
def build(tmp_path: Path) -> builds.Build:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "hello.txt").write_text("hello\n")
    return builds.Build(
        dockerfile=tmp_path / "Dockerfile",
        context=tmp_path,
        name="tfserving.dev/selftest:1",
        arguments=(("GREETING", "world"),),
        hashed=(tmp_path / "hello.txt",),
    )


def test_the_key_follows_contents_and_ignores_what_the_image_does_not_hold(build: builds.Build) -> None:
    before = builds.key_of(build)
    (build.context / "unrelated.txt").write_text("x")
    assert builds.key_of(build) == before

    (build.context / "hello.txt").write_text("changed\n")
    changed = builds.key_of(build)
    build.dockerfile.write_text(DOCKERFILE + "\nLABEL a=b\n")

    assert len({before, changed, builds.key_of(build)}) == 3


def test_the_hash_of_a_folder_follows_names_modes_and_links(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("x")
    digests = [cache.digest_of_paths([folder])]
    (folder / "a").chmod(0o755)
    digests.append(cache.digest_of_paths([folder]))
    (folder / "a").rename(folder / "b")
    digests.append(cache.digest_of_paths([folder]))
    (folder / "link").symlink_to("b")
    digests.append(cache.digest_of_paths([folder]))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/b.pyc").write_text("x")
    assert cache.digest_of_paths([folder]) == digests[-1]
    assert len(set(digests)) == 4


def test_old_archives_of_an_image_go_whatever_their_tag_and_other_images_stay(tmp_path: Path) -> None:
    others = [f"server-previous-{1:016x}-{1:016x}.tar", f"other-{1:016x}-{1:016x}.tar"]
    ours = [f"server-{age:016x}-{age + 1:016x}.tar" for age in range(7)]
    for age, name in enumerate([*others, *ours]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))

    builds.forget_old(tmp_path, "server")

    assert {path.name for path in tmp_path.iterdir()} == {*others, *ours[-builds.KEPT_ARCHIVES :]}


def test_pip_in_a_build_has_the_machines_settings(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\ntimeout = 7\nretries = 1\n")
    settings = builds.pip_settings(
        {
            "PIP_CONFIG_FILE": str(file),
            "PIP_EXTRA_INDEX_URL": "https://index.example/100%",
            "PIP_RETRIES": "2",
        }
    )
    found = dict(settings["global"])
    assert found["timeout"] == "7"
    assert found["retries"] == "2"
    assert found["extra-index-url"] == "https://index.example/100%"


def test_an_archive_has_the_format_of_docker_save(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    with tarfile.open(layer, "w") as file:
        file.addfile(tarfile.TarInfo("empty"))
    archives.write(tmp_path / "a.tar", layer=layer, name="example.test/a:1", config={"Cmd": ["x"]})
    assert [*containers.images_in(tmp_path / "a.tar")] == ["example.test/a:1"]


@pytest.mark.cluster
def test_a_dockerfile_is_built_on_the_base_image_once(
    build: builds.Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_TIMEOUT", "77")
    archive = builds.archive_of(build, PROGRESS)
    try:
        with tarfile.open(archive) as file:
            (manifest,) = json.load(file.extractfile("manifest.json"))
            assert manifest["RepoTags"] == [build.name]
            config = json.load(file.extractfile(manifest["Config"]))
            texts = dict(texts_in(file, manifest["Layers"], tmp_path))
        assert config["config"]["User"] == "65532:65532"
        assert texts["hello.txt"] == "hello\nworld\n"
        assert "timeout='77'" in texts["pip.txt"]
        assert "77" not in texts.get("etc/xdg/pip/pip.conf", "")
        monkeypatch.setattr(builds, "_build", lambda *_: pytest.fail("it is in the cache"))
        assert builds.archive_of(build, PROGRESS) == archive
    finally:
        archive.unlink()


@pytest.mark.cluster
def test_the_base_image_has_python_and_certificates(tmp_path: Path) -> None:
    with tarfile.open(made.base(PROGRESS)) as file:
        (manifest,) = json.load(file.extractfile("manifest.json"))
        file.extract(manifest["Layers"][0], tmp_path, filter="data")
    listed = subprocess.run(
        ["tar", "-tf", tmp_path / manifest["Layers"][0]], capture_output=True, text=True, check=True
    )
    assert {"./usr/bin/python3.11", "./etc/ssl/certs/ca-certificates.crt"} <= set(listed.stdout.split())


def texts_in(archive: tarfile.TarFile, layers: list[str], folder: Path):
    for name in layers:
        archive.extract(name, folder, filter="data")
        with tarfile.open(folder / name) as layer:
            for wanted in ("hello.txt", "pip.txt", "etc/xdg/pip/pip.conf"):
                if wanted in layer.getnames() and layer.getmember(wanted).isfile():
                    yield wanted, layer.extractfile(wanted).read().decode()
