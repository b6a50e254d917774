"""The command line: prints the path of an image's archive, made first when it is not in the cache."""

import argparse
import sys
from pathlib import Path

from local import progress as progresses
from local.images import builds, made


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m local.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("base", help="Debian with Python, the base of the project's images")
    build = commands.add_parser("build", help="an image of a Dockerfile with ARG BASE_IMAGE")
    build.add_argument("--dockerfile", type=Path, required=True)
    build.add_argument("--context", type=Path, required=True)
    build.add_argument("--tag", required=True, help="the image's name with its tag")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    build.add_argument(
        "--hash-of",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="what the image depends on, if not on the whole context",
    )
    twice = commands.add_parser("reproduce", help="build the operator's image twice from scratch and compare")
    twice.add_argument("--dockerfile", type=Path, required=True)
    twice.add_argument("--context", type=Path, required=True)
    arguments = parser.parse_args()
    progress = progresses.Progress(name="images")
    try:
        if arguments.command == "base":
            print(made.base(progress))
        elif arguments.command == "reproduce":
            digests = builds.digests(arguments.dockerfile.resolve(), arguments.context.resolve(), progress)
            print("\n".join(digests))
            return 0 if len(set(digests)) == 1 else 1
        else:
            print(builds.archive_of(_build_of(arguments), progress))
    except progresses.MissingError as error:
        print(f"images: {error}", file=sys.stderr)
        return progresses.MISSING_EXIT_CODE
    return 0


def _build_of(arguments: argparse.Namespace) -> builds.Build:
    pairs = (each.partition("=") for each in arguments.build_arg)
    return builds.Build(
        dockerfile=arguments.dockerfile.resolve(),
        context=arguments.context.resolve(),
        name=arguments.tag,
        arguments=tuple((name, value) for name, _, value in pairs),
        hashed=tuple(path.resolve() for path in arguments.hash_of),
    )


if __name__ == "__main__":
    sys.exit(main())
