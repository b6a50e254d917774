"""What a machine needs for a cluster, and how it gets what Debian has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    """Install what is missing where that is possible, else say what is missing.

    Raises
    ------
    local.progress.MissingError
        This machine lacks something that cannot be installed from here.
    """
    require_root()
    if not shutil.which("go"):
        raise progresses.MissingError(f"missing: Go >= 1.24 in PATH, to build Kubernetes; {GO_ON}")
    packages = missing_packages()
    if not packages:
        return
    if not shutil.which("apt-get"):
        names = " ".join(packages)
        raise progresses.MissingError(f"missing, called by their Debian names: {names}; {GO_ON}")
    progress.say(f"installing Debian packages: {' '.join(packages)}")
    _install(packages)


def missing_packages(packages: dict[str, str] | None = None) -> list[str]:
    """Return the names of the Debian packages that are not there."""
    wanted = PACKAGES if packages is None else packages
    return sorted(name for name, program in wanted.items() if not find(program))


def find(program: str) -> str | None:
    """Return the path of a program of the machine."""
    return shutil.which(program, path=SEARCH_PATH)


def _install(packages: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    holds_services = not policy.exists()
    if holds_services:  # the machine's own containerd need not start
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-q", *command], env=environment, check=False, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise progresses.MissingError(
                    f"apt-get {command[0]} failed ({done.stderr.strip().splitlines()[-1:]}); "
                    f"missing: {' '.join(packages)}; {GO_ON}",
                )
    finally:
        if holds_services:
            policy.unlink()
