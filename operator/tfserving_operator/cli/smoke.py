"""`tfserving-operator smoke`: the operator's smoke test of a served model, without a cluster."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfserving_operator.cli import exits

if TYPE_CHECKING:
    from tfserving_operator.core import inspection
    from tfserving_operator.core.smoke import cases, plans

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SHOWN_CHARACTERS = 76


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """The options of one call."""

    url: str
    model: str
    version: int
    signature: str
    cases: tuple[Path, ...]
    control_url: str | None
    control_version: int | None
    control_model: str | None
    saved_model: Path | None
    checks: str | None
    load_requests: int
    load_concurrency: int
    timeout: float


@click.command()
@click.option("--url", required=True, help="Of the server, such as http://localhost:8501")
@click.option("--model", required=True, help="Name of the model: NAME of /v1/models/NAME")
@click.option(
    "--version", "version", type=click.IntRange(1), required=True, help="Every request is pinned to it."
)
@click.option("--signature", default="serving_default", show_default=True)
@click.option(
    "--cases", type=_FILE, multiple=True, help="Cases file or ConfigMap; without one, inputs are made."
)
@click.option("--control-url", help="Of the version that serves now, for comparison.")
@click.option("--control-version", type=click.IntRange(1))
@click.option("--control-model", help="Default: the model's name.")
@click.option("--saved-model", type=_FOLDER, help="The version folder: its inspection refines the cause.")
@click.option("--checks", help="As spec.smoke.checks, in YAML: '{goldens: {mode: Warn}}'")
@click.option("--load-requests", type=click.IntRange(0, 10_000), default=64, show_default=True)
@click.option("--load-concurrency", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option(
    "--timeout", type=click.FloatRange(1, 3600), default=120.0, show_default=True, help="Seconds, of all."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def smoke(output: str, **given: Any) -> None:
    """Test a served model as the operator does before a version takes traffic.

    Exit code 0: Pass; 1: Fail; 2: Inconclusive, or the test could not be run; 64: called wrongly.
    """
    from tfserving_operator.api import reasons  # noqa: PLC0415
    from tfserving_operator.core.smoke import cases  # noqa: PLC0415

    asked = _Asked(**given)
    request, resolved = _request(asked)
    try:
        outcome = asyncio.run(_test(request, resolved))
    except cases.InvalidCases as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(_as_json(outcome), indent=2) if output == "json" else _as_text(asked, outcome))
    match outcome.verdict:
        case reasons.Verdict.Pass:
            sys.exit(exits.ExitCode.Pass)
        case reasons.Verdict.Fail:
            sys.exit(exits.ExitCode.Fail)
        case reasons.Verdict.Inconclusive | None:
            sys.exit(exits.ExitCode.Inconclusive)


def _request(asked: _Asked) -> "tuple[plans.TestRequest, cases.ResolvedCases]":
    from tfserving_operator.cli import casefiles  # noqa: PLC0415
    from tfserving_operator.core.smoke import plans  # noqa: PLC0415

    if (asked.control_url is None) != (asked.control_version is None):
        raise click.UsageError("--control-url and --control-version belong together")
    request = plans.TestRequest(
        key="command line",
        purpose=plans.TestPurpose.Candidate,
        namespace="",
        revision=asked.model,
        targets=(plans.Target(pod=asked.url, address=asked.url),),
        control=plans.Target(pod=asked.control_url, address=asked.control_url) if asked.control_url else None,
        control_version=asked.control_version,
        control_model_name=(asked.control_model or asked.model) if asked.control_url else "",
        control_signature_name=asked.signature if asked.control_url else "",
        model_name=asked.model,
        version=asked.version,
        signature_name=asked.signature,
        cases=plans.SpecCases(inline=(), config_maps=()),
        checks=_checks(asked.checks),
        load_requests=asked.load_requests,
        load_concurrency=asked.load_concurrency,
        timeout_seconds=asked.timeout,
        inspection=_inspection(asked.saved_model),
    )
    return request, casefiles.read(asked.cases)


def _checks(text: str | None) -> dict[str, Any]:
    import pydantic  # noqa: PLC0415
    import yaml  # noqa: PLC0415

    from tfserving_operator.api import explain, smoke  # noqa: PLC0415

    try:
        raw = yaml.safe_load(text) if text else {}
        parsed = smoke.Checks.model_validate(raw)
    except yaml.YAMLError as error:
        raise click.UsageError(f"--checks is no YAML: {error}") from error
    except pydantic.ValidationError as error:
        found = explain.problems(error, root=smoke.Checks, prefix="checks")
        raise click.UsageError("; ".join(problem.sentence for problem in found)) from error
    return parsed.model_dump(mode="json", by_alias=True, exclude_none=True)


def _inspection(folder: Path | None) -> "inspection.Inspection | None":
    from tfserving_operator.golden import documents, errors  # noqa: PLC0415

    try:
        return documents.inspect(folder) if folder else None
    except errors.GoldenError as error:
        raise click.UsageError(str(error)) from error


async def _test(request: "plans.TestRequest", resolved: "cases.ResolvedCases") -> "plans.TestOutcome":
    from tfserving_operator.adapters import clock  # noqa: PLC0415
    from tfserving_operator.adapters.serving import blocking, runner, workers  # noqa: PLC0415
    from tfserving_operator.core.smoke import plans  # noqa: PLC0415

    async with workers.open_workers() as shop:

        def connect(target: plans.Target, *, model: str, version: int) -> blocking.BlockingEndpoint:
            return blocking.BlockingEndpoint(
                url=target.address,
                model=model,
                version=version,
                limits=runner.DEFAULT_LIMITS,
                received=shop.received,
            )

        return await runner.run_with(connect, request, resolved, clock.SystemClock().now, shop=shop)


def _as_json(outcome: "plans.TestOutcome") -> dict[str, Any]:
    from tfserving_operator.api import reasons  # noqa: PLC0415

    return {
        "verdict": str(outcome.verdict or reasons.Verdict.Inconclusive),
        "reason": outcome.reason,
        "cause": outcome.cause,
        "message": outcome.message,
        "durationSeconds": round(outcome.duration_seconds, 3),
        "casesDigest": outcome.cases_digest,
        "checks": [
            {
                "name": check.name,
                "verdict": str(check.verdict),
                "enforced": check.enforced,
                "reason": check.reason,
                "cause": check.cause,
                "message": check.message,
                "evidence": check.evidence,
            }
            for check in outcome.checks
        ],
    }


def _as_text(asked: _Asked, outcome: "plans.TestOutcome") -> str:
    import tabulate  # noqa: PLC0415

    named = " / ".join(part for part in (outcome.reason, outcome.cause) if part)
    verdict = str(outcome.verdict or "No verdict")
    head = f"{asked.model} version {asked.version}: {verdict}{f' ({named})' if named and verdict != 'Pass' else ''}"
    rows = [
        (
            check.name,
            str(check.verdict) if check.enforced else f"{check.verdict} (Warn)",
            check.cause or check.reason,
            check.message,
        )
        for check in outcome.checks
    ]
    widths = [None, None, None, _SHOWN_CHARACTERS]
    table = tabulate.tabulate(rows, headers=("check", "verdict", "cause", "said"), maxcolwidths=widths)
    return f"{head}\n{outcome.message}\n\n{table}"
