"""What people see: a live view on a terminal, lines elsewhere, and the table at the end."""

import asyncio
import collections
import os
import time
from collections.abc import Mapping
from typing import Any

from rich import console as consoles
from rich import live, panel, table, text

from local.demo import judging, steps
from local.demo.board import Board, Outcome, Result

REFRESH_SECONDS = 0.25
PLAIN_WIDTH = 140
"""Of what is no terminal: wide enough for the tables."""
RECENT_SECONDS = 2.0
"""Of the client's requests that are shown by the version that answered them."""

GOOD, BAD, DIM, BUSY = "green", "red", "bright_black", "yellow"


def console() -> consoles.Console:
    """Return the console; CI systems that pass themselves off as terminals get lines."""
    is_plain = bool(os.environ.get("CI"))
    out = consoles.Console(force_terminal=False if is_plain else None, highlight=False)
    return (
        out if out.is_terminal else consoles.Console(force_terminal=False, highlight=False, width=PLAIN_WIDTH)
    )


async def show(board: Board, out: consoles.Console) -> None:
    """Show the board until cancelled."""
    if not out.is_terminal:
        await _print_lines(board, out)
        return
    with live.Live(console=out, auto_refresh=False, transient=True) as screen:
        while True:
            screen.update(render(board), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


async def _print_lines(board: Board, out: consoles.Console) -> None:
    said = ""
    notes = 0
    while True:
        line = summary(board.status)
        if line != said:
            sent = f"; {len(board.requests)} requests sent" if board.requests else ""
            out.print(f"demo {_clock(board)}  {line}{sent}", soft_wrap=True)
            said = line
        for note in board.notes[notes:]:
            out.print(f"demo {_clock(board)}  {note}", soft_wrap=True)
        notes = len(board.notes)
        await asyncio.sleep(REFRESH_SECONDS)


def summary(status: Mapping[str, Any]) -> str:
    """Return the phase and the revisions in one line."""
    parts = [f"phase {status.get('phase', 'not seen by the operator yet')}"]
    for key, word in (("activeRevision", "active"), ("candidateRevision", "candidate")):
        revision = status.get(key)
        if revision:
            step = f" {revision['step']}" if "step" in revision else ""
            parts.append(f"{word} v{revision['version']}{step}")
    return ", ".join(parts)


def _clock(board: Board) -> str:
    return f"{time.monotonic() - board.started:6.1f} s"


def render(board: Board) -> panel.Panel:
    """Return the live view."""
    grid = table.Table.grid(padding=(0, 2))
    grid.add_row(_steps(board))
    grid.add_row(_revisions(board.status))
    grid.add_row(_conditions(board.status))
    grid.add_row(_client(board))
    for note in board.notes[-3:]:
        grid.add_row(text.Text(note, style=DIM, overflow="ellipsis", no_wrap=True))
    return panel.Panel(grid, title=f"ModelDeployment digits · {_clock(board).strip()}", border_style="blue")


def _steps(board: Board) -> table.Table:
    done = {result.version: result for result in board.results}
    rows = table.Table.grid(padding=(0, 2))
    for step in steps.STEPS:
        result = done.get(step.version)
        if result:
            word, seconds = _outcome(result, step), f"{result.seconds:.1f} s"
        elif step.version == len(done) + 1:
            word, seconds = text.Text(f"{board.status.get('phase', 'applied')} …", style=BUSY), ""
        else:
            word, seconds = text.Text("", style=DIM), ""
        rows.add_row(f"v{step.version}", text.Text(step.title), word, seconds)
    return rows


def _outcome(result: Result, step: steps.Step) -> text.Text:
    word = f"{result.outcome or 'no outcome'} ({result.reason})"
    return text.Text(word, style=GOOD if is_expected(result, step) else BAD)


def is_expected(result: Result, step: steps.Step) -> bool:
    """Whether that became of a version what should."""
    return (result.outcome, result.reason) == (step.outcome, step.reason)


def _revisions(status: Mapping[str, Any]) -> text.Text:
    line = text.Text()
    line.append(f"{status.get('phase', '…'):<10} ", style="bold")
    for key, word in (
        ("activeRevision", "active"),
        ("candidateRevision", "candidate"),
        ("previousRevision", "previous"),
    ):
        revision = status.get(key)
        if revision:
            line.append(f" {word} ", style=DIM)
            line.append(f"v{revision['version']} {revision['name']}")
            line.append(f" {revision['step']}" if "step" in revision else "", style=BUSY)
    rejected = ", ".join(f"v{each['version']}" for each in status.get("rejectedRevisions", ()))
    line.append(f"  rejected {rejected}" if rejected else "", style=DIM)
    return line


def _conditions(status: Mapping[str, Any]) -> table.Table:
    rows = table.Table.grid(padding=(0, 2))
    for each in status.get("conditions", ()):
        is_good = each["status"] == ("False" if each["type"] == "Stalled" else "True")
        style = GOOD if is_good else BUSY
        message = text.Text(each.get("message", ""), style=DIM, overflow="ellipsis", no_wrap=True)
        rows.add_row(each["type"], text.Text(each["status"], style=style), each["reason"], message)
    return rows


def _client(board: Board) -> text.Text:
    requests = board.requests
    if not requests:
        return text.Text("client: starts when something is served", style=DIM)
    since = requests[-1].ended - RECENT_SECONDS
    recent: collections.Counter[int | None] = collections.Counter()
    for request in reversed(requests):
        if request.ended < since:
            break
        recent[request.version] += 1
    line = text.Text(f"client: {len(requests)} sent")
    failed = collections.Counter(request.pool for request in requests if request.version is None)
    for pool in judging.Pool:
        line.append(f"  {failed[pool]} failed ({pool})", style=BAD if failed[pool] else DIM)
    for version, number in sorted(recent.items(), key=lambda item: item[0] or 0):
        who = "failed" if version is None else f"v{version}"
        line.append(f"  {who} {number / RECENT_SECONDS:.0f}/s", style=BAD if version is None else GOOD)
    return line


def print_table(results: list[Result], out: consoles.Console) -> None:
    """Print what happened to the versions."""
    rows = table.Table(title="What happened")
    for heading in ("version", "what it is", "outcome", "reason", "cause", "took", "flip"):
        rows.add_column(heading, justify="right" if heading in {"took", "flip"} else "left")
    titles = {step.version: step for step in steps.STEPS}
    for result in results:
        step = titles[result.version]
        style = GOOD if is_expected(result, step) else BAD
        outcome: Outcome | str = result.outcome or "none in time"
        flip = "" if result.flip_seconds is None else f"{result.flip_seconds:.3f} s"
        cells = (f"v{result.version}", step.title, text.Text(outcome, style=style))
        rows.add_row(*cells, result.reason, result.cause, f"{result.seconds:.1f} s", flip)
    out.print(rows)
