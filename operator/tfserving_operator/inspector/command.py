"""What the inspect container does: look, report through the termination message, end with a code that tells."""

import os
import sys
from pathlib import Path
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import inspection
from tfserving_operator.inspector import folder, savedmodel, wire

TERMINATION_LOG: Final = "/dev/termination-log"
TERMINATION_LOG_VARIABLE: Final = "TERMINATION_LOG_PATH"
_DIGEST_CHARACTERS: Final = 200
_VARIABLE_OPS: Final = ("VarHandleOp", "VariableV2", "Variable")
_RESTORED: Final = "RestoreV2"


def main(model_dir: Path, version: int, expect_digest_file: Path | None = None) -> int:
    """Inspect a model's version and report.

    Parameters
    ----------
    model_dir
        The folder that holds the numeric version folders.
    version
        The one to look at.
    expect_digest_file
        Holds the digest of the files that passed the smoke test; absent or empty before that.

    Returns
    -------
    int
        An `inspection.ExitCode`.
    """
    try:
        expected = _expected_digest(expect_digest_file)
        found = inspect(model_dir, version, expected)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported as the inspector's own
        text = f"the model could not be inspected: {type(error).__name__}: {error}"
        found = inspection.build(reasons.Reason.InspectionFailed, text, version=version)
    report = inspection.render(found)
    Path(os.environ.get(TERMINATION_LOG_VARIABLE, TERMINATION_LOG)).write_bytes(report)
    sys.stdout.write(report.decode() + "\n")
    return int(found.exit_code)


def inspect(model_dir: Path, version: int, expected_digest: str = "") -> inspection.Inspection:
    """Read a version's folder."""
    try:
        version_dir = folder.find_version(model_dir, version)
        files = folder.list_files(version_dir)
    except folder.NotFoundError as error:
        return inspection.build(reasons.Reason.ModelNotFound, str(error), version=version)
    except folder.TooManyFilesError as error:
        return inspection.build(reasons.Reason.ModelInvalid, str(error), version=version)
    top = {file.name: file for file in files}
    if not any(name in top for name in folder.SAVED_MODEL_FILES):
        text = f"{version_dir} is no SavedModel: {folder.foreign_model(files)}"
        return inspection.build(reasons.Reason.ModelInvalid, text, version=version, files=len(files))
    digest = folder.digest(files)
    found = _read(version_dir, version, files, digest)
    if expected_digest and expected_digest != digest:
        text = (
            f"{version_dir} is not what passed the smoke test: its digest is {digest[:19]}…, and {expected_digest[:19]}…"
            " passed. Publish changed files under a new version, or restore the old ones"
        )
        return inspection.build(
            reasons.Reason.ModelChanged,
            text,
            version=version,
            digest=digest,
            disk_bytes=found.disk_bytes,
            variable_bytes=found.variable_bytes,
            files=found.files,
            findings=found.findings,
        )
    return found


def _read(version_dir: Path, version: int, files: list[folder.File], digest: str) -> inspection.Inspection:
    graph: savedmodel.Graph | None = savedmodel.Graph(complete=False)
    reason, message = "", ""
    findings: list[str] = []
    path = version_dir / folder.SAVED_MODEL_FILES[0]
    if path.is_file():
        try:
            graph = savedmodel.read(path)
        except wire.MalformedError as error:
            reason, message = reasons.Reason.ModelInvalid, f"{path} cannot be read as a SavedModel: {error}"
        if graph is None:
            reason, message = reasons.Reason.ModelInvalid, f"{path} holds no graph: it is no SavedModel"
    if not reason:
        findings += _graph_findings(graph or savedmodel.Graph(), files)
    graph = graph or savedmodel.Graph()
    return inspection.build(
        reason,
        message,
        version=version,
        digest=digest,
        disk_bytes=sum(file.size for file in files),
        variable_bytes=sum(file.size for file in files if file.name.startswith("variables/")),
        files=len(files),
        signatures=graph.signatures,
        ops=dict(graph.ops),
        findings=findings,
    )


def _graph_findings(graph: savedmodel.Graph, files: list[folder.File]) -> list[str]:
    has_variables = _RESTORED in graph.ops and any(op in graph.ops for op in _VARIABLE_OPS)
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
