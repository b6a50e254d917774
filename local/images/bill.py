"""The bill of materials of the operator's image: ``python -m local.images.bill`` (``make sbom``).

It is read from the image itself, not from a list of what should be in it. What the base holds is the base's: it is
an argument of the build, and has a bill of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from local import progress as progresses
from local.demo import installation
from local.images import builds, contents, licences, made

FOLDER = Path("build/sbom")
BILL = "tfserving-operator.cdx.json"
LICENCES = "licences.md"

_PREFIX: Final = "opt/tfserving-operator/lib/"


def main() -> int:
    """Write the bill and the list of licences."""
    parser = argparse.ArgumentParser(prog="python -m local.images.bill", description=__doc__)
    parser.add_argument("--output", type=Path, default=installation.checkout() / FOLDER)
    folder: Path = parser.parse_args().output
    progress = progresses.Progress(name="sbom")
    try:
        archive = builds.archive_of(installation.operator_build(), progress)
        base = made.base(progress)
    except progresses.MissingError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return progresses.MISSING_EXIT_CODE
    bill = write(folder, contents.read(archive), contents.read(base))
    unfit = licences.unfit(bill)
    for name, licence in unfit:
        print(f"sbom: {name}: {licence or 'no licence told'} is not among the accepted ones", file=sys.stderr)
    progress.say(f"{len(bill['components'])} packages in {folder / BILL}, licences in {folder / LICENCES}")
    return 1 if unfit else 0


def write(folder: Path, image: contents.Contents, base: contents.Contents) -> Mapping[str, Any]:
    """Write the bill and the licences of an image into a folder; return the bill."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tfso-sbom-") as work:
        environment = Path(work)
        venv.create(environment, with_pip=False)
        (target,) = environment.glob("lib/python3*/site-packages")
        for path, data in metadata(image, base):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(data)
        _run_cyclonedx(environment, folder / BILL)
    bill = licences.with_spdx(json.loads((folder / BILL).read_text()))
    (folder / BILL).write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    (folder / LICENCES).write_text(licences.table(bill))
    return bill


def metadata(image: contents.Contents, base: contents.Contents) -> Iterator[tuple[Path, bytes]]:
    """Yield the packages' own records in an image, above its base, by their paths in `site-packages`."""
    for member, layer in image.files(*image.above(base)):
        _, found, path = member.name.partition("/site-packages/")
        if found and member.name.startswith(_PREFIX) and ".dist-info/" in path and member.isfile():
            file = layer.extractfile(member)
            assert file is not None
            yield Path(path), file.read()


def _run_cyclonedx(environment: Path, target: Path) -> None:
    program = Path(sys.executable).parent / "cyclonedx-py"
    command = [
        *(str(program), "environment", str(environment / "bin" / "python")),
        *("--pyproject", str(installation.checkout() / "pyproject.toml"), "--mc-type", "application"),
        *("--output-reproducible", "--short-PURLs", "--validate", "--output-file", str(target)),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cyclonedx-py failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
