"""What GitOps tools make of objects: the tools' own libraries are asked, many objects at a time."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.gitops import tools

Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What kstatus says of an object."""

    status: str
    """InProgress, Current, Failed or Terminating."""
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What both kstatus libraries say of an object."""

    sigs: Health
    """sigs.k8s.io/cli-utils."""
    flux: Health
    """github.com/fluxcd/cli-utils, which kustomize-controller links."""


def kstatus(objects: Iterable[Object]) -> list[Judged]:
    """Ask both libraries about objects."""
    return [
        Judged(sigs=Health(**line["sigs"]), flux=Health(**line["flux"]))
        for line in _lines(tools.ensure_judges() / "kstatus", list(objects))
    ]


def lua(script: str, objects: Iterable[Object]) -> list[Any]:
    """Run a script over objects as Argo CD does.

    Raises
    ------
    ValueError
        When the script fails on one of them.
    """
    asked = [{"script": script, "object": each} for each in objects]
    said = _lines(tools.ensure_judges() / "argolua", asked)
    for line in said:
        if "error" in line:
            raise ValueError(line["error"])
    return [line["result"] for line in said]


def _lines(program: Path, objects: Sequence[Object]) -> list[Any]:
    done = subprocess.run(
        [str(program)],
        input="".join(f"{json.dumps(each)}\n" for each in objects),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{program.name} failed: {done.stderr.strip()}"
        raise ValueError(msg)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(objects), f"{program.name}: {len(objects)} asked, {len(lines)} answered"
    return lines
