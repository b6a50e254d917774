"""The command line of the throwaway cluster; ``CLUSTER=name`` selects a further one of this checkout."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from local import progress as progresses
from local.cluster import api, binaries, lifecycle, namespaces, prerequisites
from local.cluster import layout as layouts

COMMANDS = {
    "up": "start the cluster, or what is missing of it",
    "down": "take the cluster away (images and logs stay for the next one)",
    "purge": "take the cluster away with its images and logs",
    "shell": "a shell in the cluster's network, with kubectl and helm",
    "env": "print the shell's exports",
    "status": "print what runs",
    "build": "only build the programs",
    "load-image": "import docker-archives into the node",
}
"""The commands and their help."""


def main() -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name == "load-image":
            command.add_argument("archives", type=Path, nargs="+")
    arguments = parser.parse_args()
    try:
        prerequisites.require_root()
        return _run(arguments)
    except progresses.MissingError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return progresses.MISSING_EXIT_CODE
    except (RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    layout = layouts.selected()
    progress = progresses.Progress(name="cluster")
    match arguments.command:
        case "up":
            lifecycle.up(layout, progress)
        case "down":
            lifecycle.down(layout, progress)
        case "purge":
            lifecycle.down(layout, progress, purge=True)
        case "build":
            prerequisites.ensure(progress)
            for toolset in (binaries.KUBERNETES, binaries.HELM):
                print(binaries.ensure(toolset, progress))
        case "status":
            return _print_status(layout)
        case _:
            return _use(arguments, progress)
    return 0


def _use(arguments: argparse.Namespace, progress: progresses.Progress) -> int:
    cluster = api.current()
    if cluster is None:
        raise progresses.MissingError("no cluster is up: make cluster-up")
    match arguments.command:
        case "env":
            for name, value in api.exports(cluster).items():
                print(f"export {name}={shlex.quote(value)}")
        case "load-image":
            for archive in arguments.archives:
                is_new = api.load_image(cluster, archive)
                progress.say(f"{archive.name}: {'imported' if is_new else 'is there'}")
        case _:
            api.ensure_helm()
            shell = os.environ.get("SHELL", "/bin/bash")
            return api.run(cluster, [shell], check=False).returncode
    return 0


def _print_status(layout: layouts.Layout) -> int:
    pid = namespaces.node_pid(layout)
    print(f"cluster {layout.id}: {'no node runs' if pid is None else f'node runs, pid {pid}'}")
    for name, component_pid in namespaces.component_pids(layout).items():
        print(f"  {name} {component_pid}")
    return 0 if pid is not None else 1


if __name__ == "__main__":
    sys.exit(main())
