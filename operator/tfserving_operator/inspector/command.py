"""What the inspect container does: look, report through the termination message, end with a code that tells."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.inspector import analysis, assets, folder, foreign, limits, ops, savedmodel, wire

TERMINATION_LOG: Final = "/dev/termination-log"
TERMINATION_LOG_VARIABLE: Final = "TERMINATION_LOG_PATH"
_DIGEST_CHARACTERS: Final = 200
_RESTORED: Final = "RestoreV2"
_UNLIMITED: Final = limits.Limit()
_UNREAD: Final = savedmodel.Graph(complete=False)
"""Of a SavedModel that is written as text, or in chunks."""


def main(
    model_dir: Path,
    version: int,
    expect_digest_file: Path | None = None,
    signature: str = "",
    limit: limits.Limit = _UNLIMITED,
) -> int:
    """Inspect a model's version and report.

    Parameters
    ----------
    model_dir
        The folder that holds the numeric version folders.
    version
        The one to look at.
    expect_digest_file
        Holds the digest of the files that passed the smoke test; absent or empty before that.
    signature
        The one that predictions ask for; "" where that is not known.
    limit
        What the server of the pod may use.

    Returns
    -------
    int
        An `inspection.ExitCode`.
    """
    try:
        expected = _expected_digest(expect_digest_file)
        found = inspect(model_dir, version, expected, signature)
        found = limits.compared(found, limit, has_passed=bool(expected))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported as the inspector's own
        text = f"the model could not be inspected: {type(error).__name__}: {error}"
        found = inspection.build(reasons.Reason.InspectionFailed, text, version=version)
    report = inspection.render(found)
    Path(os.environ.get(TERMINATION_LOG_VARIABLE, TERMINATION_LOG)).write_bytes(report)
    sys.stdout.write(report.decode() + "\n")
    return int(found.exit_code)


def inspect(
    model_dir: Path, version: int, expected_digest: str = "", signature: str = ""
) -> inspection.Inspection:
    """Read a version's folder."""
    try:
        version_dir = folder.find_version(model_dir, version)
        files = folder.list_files(version_dir)
    except folder.NotFoundError as error:
        return inspection.build(reasons.Reason.ModelNotFound, str(error), version=version)
    except folder.TooManyFilesError as error:
        return inspection.build(reasons.Reason.ModelInvalid, str(error), version=version)
    top = {file.name: file for file in files}
    if not any(name in top for name in foreign.SAVED_MODEL_FILES):
        text = f"{version_dir} is no SavedModel: {foreign.told([file.name for file in files])}"
        return inspection.build(reasons.Reason.ModelInvalid, text, version=version, files=len(files))
    contents = folder.read_contents(files)
    digest = contents.digest
    found = _read(version_dir, version, files, contents, signature)
    if expected_digest and expected_digest != digest:
        text = (
            f"{version_dir} is not what passed the smoke test: its digest is {digest[:19]}…, and {expected_digest[:19]}…"
            " passed. Publish changed files under a new version, or restore the old ones"
        )
        return dataclasses.replace(found, reason=reasons.Reason.ModelChanged, message=text)
    return found


def _read(
    version_dir: Path, version: int, files: list[folder.File], contents: folder.Contents, signature: str
) -> inspection.Inspection:
    reason, message = "", ""
    fields: dict[str, Any] = {}
    path = version_dir / foreign.SAVED_MODEL_FILES[0]
    vocabularies: Container[str] = ()
    try:
        with savedmodel.opened(path) if path.is_file() else contextlib.nullcontext(_UNREAD) as graph:
            if graph is None:
                reason, message = reasons.Reason.ModelInvalid, f"{path} holds no graph: it is no SavedModel"
            else:
                found = analysis.analyse(graph, signature, lambda file: assets.words(files, file))
                vocabularies = found.vocabularies
                fields = _fields(graph, found, files, signature)
    except wire.MalformedError as error:
        reason, message = reasons.Reason.ModelInvalid, f"{path} cannot be read as a SavedModel: {error}"
    return inspection.build(
        reason,
        message,
        version=version,
        digest=contents.digest,
        weights_digest=contents.weights_digest,
        disk_bytes=sum(file.size for file in files),
        variable_bytes=sum(file.size for file in files if file.name.startswith("variables/")),
        graph_bytes=sum(file.size for file in files if file.name in foreign.BINARY_SAVED_MODEL_FILES),
        files=len(files),
        assets=assets.read(files, contents, vocabularies),
        **fields,
    )


def _fields(
    graph: savedmodel.Graph, found: analysis.Analysis, files: list[folder.File], signature: str
) -> dict[str, Any]:
    """What the graph tells, the signature that is asked for first: it is left out last."""
    order = sorted(graph.signatures, key=lambda name: (name != signature, name != analysis.DEFAULT_SIGNATURE))
    return {
        "signatures": {name: graph.signatures[name] for name in order},
        "ops": dict(graph.ops),
        "nodes": graph.ops.total(),
        "function_bytes": graph.function_bytes,
        "findings": [*_graph_findings(graph, files), *found.findings],
        "clues": found.clues,
        "features": found.features,
        "hints": found.hints,
    }


def _graph_findings(graph: savedmodel.Graph, files: list[folder.File]) -> list[str]:
    has_variables = _RESTORED in graph.ops and any(op in graph.ops for op in ops.VARIABLES)
    findings = folder.variable_findings(files, has_variables=has_variables)
    if not graph.complete:
        return [*findings, "the graph was not read, or not all of it: signatures and ops may be missing here"]
    if "serve" not in graph.tags:
        findings.append(f"no graph has the tag serve; there is {', '.join(graph.tags) or 'none'}")
    if not graph.signatures:
        findings.append("the model has no signature to predict with")
    return findings


def _expected_digest(path: Path | None) -> str:
    if path is None or not path.is_file():
        return ""
    return path.read_text("utf-8", "replace")[:_DIGEST_CHARACTERS].strip()
