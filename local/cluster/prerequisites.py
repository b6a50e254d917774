"""What a machine needs for a cluster, and how it gets what Debian has."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

from local import progress as progresses
from local.cluster import configuration

PACKAGES = {
    "buildah": "buildah",
    "busybox-static": "busybox",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "debootstrap": "debootstrap",
    "iproute2": "ip",
    "iptables": "iptables",
    "runc": "runc",
    "util-linux": "nsenter",
    "containernetworking-plugins": f"{configuration.CNI_BIN}/ptp",
}
"""Debian packages, each with a program that tells that it is there."""

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The node's PATH; administrators' programs are not in every user's."""

GO_ON = "with an existing cluster: CONTEXT=<kube context> make demo"
"""The way for machines that cannot have a throwaway cluster."""


def require_root() -> None:
    """Raise MissingError where not even a command about the cluster can work."""
    if not sys.platform.startswith("linux"):
        raise progresses.MissingError(f"the throwaway cluster needs Linux; {GO_ON}")
    if os.geteuid() != 0:
        raise progresses.MissingError(f"the throwaway cluster needs root (sudo make …); {GO_ON}")


def ensure(progress: progresses.Progress) -> None:
    """Have all that a cluster needs.

    Raises
    ------
    local.progress.MissingError
        This machine lacks something that cannot be installed from here.
    """
    require_root()
    if not shutil.which("go"):
        raise progresses.MissingError(f"missing: Go >= 1.26 in PATH, to build Kubernetes; {GO_ON}")
    ensure_packages(PACKAGES, progress)


def ensure_packages(packages: Iterable[str], progress: progresses.Progress) -> None:
    """Install those of the Debian packages that are not there, or raise MissingError where that fails."""
    missing = [name for name in packages if not find(PACKAGES[name])]
    if not missing:
        return
    names = " ".join(missing)
    if not find("apt-get") or os.geteuid() != 0:
        raise progresses.MissingError(f"missing (by their names in Debian): {names}; {GO_ON}")
    progress.say(f"installing Debian packages: {names}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", "-q", *command], env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise progresses.MissingError(
                f"missing: {names}; apt-get {command[0]} failed ({reason}); {GO_ON}"
            )


def find(program: str) -> str | None:
    """Return the path of a program of the machine."""
    return shutil.which(program, path=SEARCH_PATH)
