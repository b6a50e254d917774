"""Writes the generated parts of the documentation: ``python -m local.docgen [--check]``."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Final

from local.docgen import blocks

FOLDERS: Final = ("docs", "charts")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages whose generated parts differ; 1 when ``--check`` finds one."""
    parser = argparse.ArgumentParser(prog="python -m local.docgen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with the diff")
    given = parser.parse_args(arguments)
    stale = 0
    pages = (path for folder in FOLDERS for path in (blocks.CHECKOUT / folder).rglob("*.md"))
    for path in sorted(pages):
        have = path.read_text()
        wanted = blocks.fill(have)
        if wanted == have:
            continue
        if not given.check:
            path.write_text(wanted)
            continue
        name = str(path.relative_to(blocks.CHECKOUT))
        lines = difflib.unified_diff(
            have.splitlines(keepends=True), wanted.splitlines(keepends=True), name, f"{name} (generated)"
        )
        sys.stdout.writelines(lines)
        stale = 1
    if stale:
        sys.stderr.write("the documentation is out of step: run `python -m local.docgen`\n")
    return stale


if __name__ == "__main__":
    sys.exit(main())
