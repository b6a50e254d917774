"""The images that are made from the machine itself: the base of the project's images, and ``pause``."""

import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

from local import cache
from local import progress as progresses
from local.cluster import configuration, prerequisites
from local.images import archives

SUITE = "bookworm"
"""The Debian release of the base image, the same as of python:3.11-slim-bookworm."""

PACKAGES = ("ca-certificates", "python3", "python3-venv")
"""What the base image holds beyond Debian's required packages."""

STRIPPED = (
    "debootstrap",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)
"""Folders whose contents no image needs."""

MIRROR_VARIABLE = "DEBIAN_MIRROR"
"""The environment variable that names another Debian mirror than debootstrap's own."""

RECIPE = "1"
"""Part of the cache's key: change it when the way of making changes."""

BASE_KEY = cache.digest_of([RECIPE, SUITE, platform.machine(), *PACKAGES, *STRIPPED])
"""The hash of the base image's recipe."""

BASE_NAME = f"localhost/tfso-base:{BASE_KEY}"
"""The base image's name."""


def base(progress: progresses.Progress) -> Path:
    """Return the archive of the base image, making it first when it is not in the cache."""
    target = cache.root() / "images" / f"base-{BASE_KEY}.tar"
    return cache.entry(target, lambda path: _make_base(path, progress))


def pause() -> Path:
    """Return the archive of the image of Pods' sandboxes."""
    busybox = Path(prerequisites.find("busybox") or "busybox")
    key = cache.digest_of([RECIPE, configuration.PAUSE_IMAGE, busybox.read_bytes()])
    target = cache.root() / "images" / f"pause-{key}.tar"
    return cache.entry(target, lambda path: _make_pause(path, busybox))


def _make_base(target: Path, progress: progresses.Progress) -> None:
    prerequisites.ensure_packages(["debootstrap"], progress)
    progress.say(f"making the base image with debootstrap: Debian {SUITE}, {', '.join(PACKAGES)}")
    tree, layer = target.parent / "rootfs", target.parent / "layer.tar"
    mirror = os.environ.get(MIRROR_VARIABLE)
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(tree)]
    command = ["unshare", "--mount", "--", *debootstrap, *([mirror] if mirror else [])]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        msg = f"debootstrap failed:\n{done.stdout[-2000:]}"
        raise RuntimeError(msg)
    for folder in STRIPPED:
        for entry in (tree / folder).iterdir() if (tree / folder).is_dir() else ():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    command = [
        "tar",
        "--create",
        f"--file={layer}",
        f"--directory={tree}",
        "--exclude=./dev/*",
        "--numeric-owner",
        ".",
    ]
    subprocess.run(command, check=True)
    environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
    archives.write(target, layer=layer, name=BASE_NAME, config={"Env": environment, "Cmd": ["python3"]})
    progress.say(f"the base image is made ({target.stat().st_size >> 20} MB)")


def _make_pause(target: Path, busybox: Path) -> None:
    layer = target.parent / "layer.tar"
    with tarfile.open(layer, "w") as file:
        info = tarfile.TarInfo("busybox")
        info.size, info.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as content:
            file.addfile(info, content)
    config = {"Entrypoint": ["/busybox", "sleep", "2147483647"], "User": "65535:65535"}
    archives.write(target, layer=layer, name=configuration.PAUSE_IMAGE, config=config)
