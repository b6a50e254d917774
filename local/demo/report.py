"""The demo's report, and which of the project's promises the figures break."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import console as consoles
from rich import table

from local.demo import audit, client, judging, steps, view
from local.demo.board import Board, Outcome, Promotion, Result

MIN_SENT = 5000
MIN_IN_FLIGHT = 20
"""At every flip."""
SEEN_LATE_SECONDS = 1.0
"""By which the status may show a flip late: all that is known where there is no audit log."""
MAX_FLIP_SECONDS = 1.0
"""From the kubelet's report of the kill in the bake to the flip."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """What the API server's audit log says of the operator's and the kubelet's writes; Unix seconds."""

    service_writes: Sequence[float]
    """Of the operator."""
    kubelet_reports: Sequence[float]
    """Of the status of the pods of the version that was killed in its bake."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that is said at the end."""

    results: tuple[Result, ...]
    client: judging.Verdict
    is_audited: bool
    broken: tuple[str, ...]
    """Promises that did not hold, in words."""


def flips_of(promotions: Sequence[Promotion], audited: Audited | None) -> list[judging.Flip]:
    """Return when the Service was flipped: by the audit log, else when the status was seen to say so.

    Status and Service are written one right after the other: the write nearest to the sight is the flip.
    """
    writes = audited.service_writes if audited else ()
    flips = []
    for promotion in promotions:
        nearest = min(writes, key=lambda time: abs(time - promotion.seen), default=promotion.seen)
        margin = 0.0 if audited else SEEN_LATE_SECONDS
        flips.append(judging.Flip(time=nearest, version=promotion.version, margin=margin))
    return flips


def build(board: Board, *, burst_sent: float | None, audited: Audited | None) -> Report:
    """Judge the demo.

    Parameters
    ----------
    board
        What was seen.
    burst_sent
        Unix seconds just before the large batch was sent; None when it was not.
    audited
        None where the audit log cannot be read.
    """
    flips = flips_of(board.promotions, audited)
    back = next((flip.time for flip in flips if burst_sent is not None and flip.time > burst_sent), None)
    kills = [] if burst_sent is None or back is None else [judging.Kill(after=burst_sent, flipped=back)]
    verdict = judging.judge(board.requests, flips, kills)
    results = tuple(_with_flip_seconds(result, burst_sent, audited) for result in board.results)
    broken = [*_broken_by_results(results, is_audited=audited is not None), *_broken_by_client(verdict)]
    return Report(results=results, client=verdict, is_audited=audited is not None, broken=tuple(broken))


def _with_flip_seconds(result: Result, burst_sent: float | None, audited: Audited | None) -> Result:
    if result.outcome is not Outcome.RolledBack or burst_sent is None or audited is None:
        return result
    seconds = audit.flip_seconds(
        reports=audited.kubelet_reports, writes=audited.service_writes, after=burst_sent
    )
    return dataclasses.replace(result, flip_seconds=seconds)


def _broken_by_results(results: Sequence[Result], *, is_audited: bool) -> list[str]:
    broken = []
    by_version = {result.version: result for result in results}
    for step in steps.STEPS:
        result = by_version.get(step.version)
        wanted = f"version {step.version}: {step.outcome} ({step.reason}) was expected"
        if result is None:
            broken.append(f"{wanted}, and it was never applied")
        elif not view.is_expected(result, step):
            got = f"{result.outcome or 'no outcome'} ({result.reason or 'no reason'})"
            broken.append(f"{wanted}, not {got} {result.message}".rstrip())
        elif step.outcome is Outcome.RolledBack and is_audited:
            if result.flip_seconds is None:
                broken.append(f"version {step.version}: the audit log does not show its kill and the flip")
            elif result.flip_seconds >= MAX_FLIP_SECONDS:
                broken.append(f"version {step.version}: the flip took {result.flip_seconds:.3f} s")
    return broken


def _broken_by_client(verdict: judging.Verdict) -> list[str]:
    broken = []
    if verdict.sent < MIN_SENT:
        broken.append(f"the client sent only {verdict.sent} requests, not {MIN_SENT}")
    if verdict.failed:
        broken.append(f"{verdict.failed} requests failed")
    if verdict.wrong_version:
        broken.append(f"{verdict.wrong_version} answers are of a version that should not serve")
    if verdict.failed_on_retired > client.POOLS[judging.Pool.never]:
        broken.append(
            f"{verdict.failed_on_retired} requests failed on connections that are never renewed, "
            f"more than {client.POOLS[judging.Pool.never]}: those in flight when the old pods ended"
        )
    if min(verdict.in_flight_at_flips, default=0) < MIN_IN_FLIGHT:
        broken.append(
            f"fewer than {MIN_IN_FLIGHT} requests in flight at a flip: {verdict.in_flight_at_flips}"
        )
    return broken + [f"  {example}" for example in verdict.examples]


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as ``report.json`` holds it."""
    return {
        "steps": [
            {
                "version": result.version,
                "outcome": result.outcome,
                "reason": result.reason,
                "cause": result.cause,
                "seconds": round(result.seconds, 3),
                **({"flipSeconds": _rounded(result.flip_seconds)} if report.is_audited else {}),
            }
            for result in report.results
        ],
        "client": {
            "sent": report.client.sent,
            "failed": report.client.failed,
            "wrongVersion": report.client.wrong_version,
            "failedDuringOom": report.client.failed_during_oom,
            "failedOnRetired": report.client.failed_on_retired,
            "maxInFlight": report.client.max_in_flight,
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def write(report: Report, path: Path) -> None:
    """Write ``report.json``."""
    path.write_text(json.dumps(to_json(report), indent=2) + "\n")


def show(report: Report, out: consoles.Console) -> None:
    """Print the tables, and what did not hold."""
    view.print_table(list(report.results), out)
    verdict = report.client
    rows = table.Table(title="The client", show_header=False)
    rows.add_row("requests sent", str(verdict.sent))
    rows.add_row("failed", str(verdict.failed))
    rows.add_row("answered by a wrong version", str(verdict.wrong_version))
    rows.add_row("failed with the pod that was killed in its bake", str(verdict.failed_during_oom))
    rows.add_row(
        "failed on connections never renewed, when the old pods ended", str(verdict.failed_on_retired)
    )
    rows.add_row("in flight at most", str(verdict.max_in_flight))
    rows.add_row("in flight at the flips", ", ".join(map(str, verdict.in_flight_at_flips)))
    out.print(rows)
    if not report.is_audited:
        out.print("The audit log of this cluster cannot be read: the time of the flip is left out.")
    for line in report.broken:
        out.print(f"demo: {line}", style=view.BAD, soft_wrap=True)
