"""Builds a Dockerfile on the base image with buildah, reaching package registries as this machine does."""

import configparser
import contextlib
import dataclasses
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local import cache
from local import progress as progresses
from local.cluster import prerequisites
from local.images import made

RECIPE = "1"
"""Part of the cache's key: change it when the way of building changes."""

KEPT_ARCHIVES = 4
"""How many archives of one image stay in the cache, the last used ones: several checkouts share it."""

KEPT_LAYERS = 16
"""How many results of build steps stay as the cache of the next build."""

BASE_ARGUMENT = "BASE_IMAGE"
"""The build argument of every Dockerfile that names its base."""

CERTIFICATES = "/etc/ssl/certs"
"""The machine's certificate authorities, which a proxy on the way may need."""

PIP_CONFIG_FOLDER = "/etc/xdg/pip"
"""Where pip finds the machine's own settings during a build: a mount, never a part of the image."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """What an image is built from."""

    dockerfile: Path
    context: Path
    name: str
    """The image's name with its tag."""
    arguments: tuple[tuple[str, str], ...] = ()
    hashed: tuple[Path, ...] = ()
    """The files and folders that the image depends on, beyond the Dockerfile; none: the whole context."""


def key_of(build: Build) -> str:
    """Return the hash of all that an image is built from."""
    settings = [RECIPE, made.BASE_KEY, build.name, *(part for pair in build.arguments for part in pair)]
    contents = cache.digest_of_paths([build.dockerfile, *(build.hashed or (build.context,))])
    return cache.digest_of([*settings, contents])


def archive_of(build: Build, progress: progresses.Progress) -> Path:
    """Return the archive of an image, building it first when it is not in the cache."""
    image, _, tag = build.name.rpartition("/")[2].partition(":")
    target = cache.root() / "images" / f"{image}-{tag}-{key_of(build)}.tar"
    archive = cache.entry(target, lambda path: _build(build, path, progress))
    archive.touch()
    forget_old(target.parent, image)
    return archive


def forget_old(folder: Path, image: str) -> None:
    """Delete the archives of an image, whatever their tags, but for those that were used last."""
    ours = re.compile(rf"{re.escape(image)}-[^-]*-[0-9a-f]{{16}}\.tar")
    ages = {path: path.stat().st_mtime for path in folder.glob("*.tar") if ours.fullmatch(path.name)}
    for old in sorted(ages, key=lambda path: ages[path], reverse=True)[KEPT_ARCHIVES:]:
        old.unlink(missing_ok=True)


def _build(build: Build, target: Path, progress: progresses.Progress) -> None:
    prerequisites.ensure_packages(["buildah"], progress)
    base = made.base(progress)
    progress.say(f"building {build.name} from {build.dockerfile}")
    identity = target.parent / "image-id"
    with cache.lock(cache.root() / "buildah.lock"), machine_settings() as settings:
        if not _buildah("images", "--quiet", "--filter", f"reference={made.BASE_NAME}").strip():
            _buildah("pull", "--quiet", f"docker-archive:{base}")
        arguments = dict(build.arguments) | {BASE_ARGUMENT: made.BASE_NAME}
        _buildah(
            "build",
            "--isolation=chroot",
            "--network=host",
            "--layers",
            "--pull=never",
            *settings,
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            f"--file={build.dockerfile}",
            f"--iidfile={identity}",  # no name: its layers stay only as the cache of the next build
            str(build.context),
        )
        _buildah("push", "--quiet", identity.read_text(), f"docker-archive:{target}:{build.name}")
        _forget_old_layers()
    progress.say(f"{build.name} is built ({target.stat().st_size >> 20} MB)")


def _forget_old_layers() -> None:
    """Keep of the builds' layers those that the next build may use again."""
    newest_first = _buildah("images", "--quiet", "--filter", "dangling=true").split()
    for image in newest_first[KEPT_LAYERS:]:
        with contextlib.suppress(RuntimeError):  # a base of one that stays
            _buildah("rmi", image)


def digests(dockerfile: Path, context: Path, progress: progresses.Progress) -> tuple[str, str]:
    """Build an image twice with nothing from a cache and the times set to 0; return both images' digests."""
    prerequisites.ensure_packages(["buildah"], progress)
    base = made.base(progress)
    with cache.lock(cache.root() / "buildah.lock"), machine_settings() as settings:
        if not _buildah("images", "--quiet", "--filter", f"reference={made.BASE_NAME}").strip():
            _buildah("pull", "--quiet", f"docker-archive:{base}")
        first, second = (_build_anew(dockerfile, context, settings) for _ in range(2))
    return first, second


def _build_anew(dockerfile: Path, context: Path, settings: Sequence[str]) -> str:
    with tempfile.NamedTemporaryFile(prefix="tfso-image-id-") as identity:
        _buildah(
            *("build", "--isolation=chroot", "--network=host", "--no-cache", "--pull=never", "--timestamp=0"),
            *settings,
            f"--build-arg={BASE_ARGUMENT}={made.BASE_NAME}",
            *(f"--file={dockerfile}", f"--iidfile={identity.name}", str(context)),
        )
        digest = Path(identity.name).read_text().strip()
    _buildah("rmi", "--force", digest)
    return digest


def _buildah(*arguments: str) -> str:
    storage = [f"--root={cache.root() / 'buildah'}", "--runroot=/run/tfso-buildah"]
    done = subprocess.run(["buildah", *storage, *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        msg = f"buildah {arguments[0]} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise RuntimeError(msg)
    return done.stdout


@contextlib.contextmanager
def machine_settings() -> Iterator[Sequence[str]]:
    """Yield buildah's options that let pip in a build step work as it does on this machine."""
    with tempfile.TemporaryDirectory(prefix="tfso-pip-") as folder:
        settings = pip_settings(os.environ)
        with (Path(folder) / "pip.conf").open("w") as file:
            settings.write(file)
        Path(folder).chmod(0o755)
        paths = {
            word
            for section in settings.sections()
            for value in settings[section].values()
            for word in value.split()
            if word.startswith("/") and not word.startswith(f"{CERTIFICATES}/") and Path(word).exists()
        }
        mounts = [f"{folder}:{PIP_CONFIG_FOLDER}", f"{CERTIFICATES}:{CERTIFICATES}"]
        mounts += [f"{path}:{path}" for path in sorted(paths)]
        yield [f"--volume={mount}:ro" for mount in mounts]


def pip_settings(environment: Mapping[str, str]) -> configparser.RawConfigParser:
    """Return pip's settings of this machine, those of its environment variables included."""
    settings = configparser.RawConfigParser()
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", str(Path.home() / ".config/pip/pip.conf")]
    settings.read([*files, environment.get("PIP_CONFIG_FILE", "")], encoding="utf-8")
    if not settings.has_section("global"):
        settings.add_section("global")
    for name, value in environment.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            settings.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    return settings
