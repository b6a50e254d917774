"""The zoo's report: a table for people, JSON for programs, and a picture for the docs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rich.console
import rich.table

from tests.zoo import entries, results

_DARK: Final = 20
"""Cells of this count and more are too dark for black."""
_PASS, _FAIL = "Pass", "Fail"


def write_json(path: Path, found: Sequence[results.Result]) -> None:
    """Write what the docs and the benchmarks read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([result.document() for result in found], indent=1) + "\n")


def show(console: rich.console.Console, found: Sequence[results.Result]) -> None:
    """Print the confusion table, one row a model: what is expected, and what the engine said to each kind of inputs."""
    table = rich.table.Table(title="The zoo", header_style="bold")
    headings = ("model", "seed", "expected", "with goldens", "without", "made inputs", "s", "")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    models: dict[tuple[str, str, int], dict[str, results.Result]] = {}
    for result in found:
        models.setdefault((result.kind, result.model, result.seed), {})[result.inputs] = result
    for (_, model, seed), tests in sorted(models.items()):
        first = next(iter(tests.values()))
        table.add_row(
            model,
            str(seed),
            " or ".join(first.causes) or _PASS,
            *(_said(tests.get(str(inputs))) for inputs in entries.Inputs),
            f"{sum(result.seconds for result in tests.values()):.1f}",
            _mark(list(tests.values())),
        )
    console.print(table)
    console.print(summary(found))


def _said(result: results.Result | None) -> str:
    if result is None:
        return ""
    said = " ".join(filter(None, [result.got.verdict or result.got.reason, result.got.cause]))
    return f"[red]{said}[/]" if result.problems else said


def _mark(tests: Sequence[results.Result]) -> str:
    """What is wrong with a row, in words."""
    if problems := sorted({problem for result in tests for problem in result.problems}):
        return f"[red]{'; '.join(problems)}[/]"
    if any(result.counts_for_causes and not result.names_cause for result in tests):
        return "[yellow]another cause[/]"
    return "[green]ok[/]"


def summary(found: Sequence[results.Result]) -> str:
    """The figures that count, in a few lines."""
    golden = [result for result in found if result.counts_for_causes]
    blind = [
        r for r in found if r.kind == entries.Kind.Fault and r.inputs != entries.Inputs.Goldens and r.verdict
    ]
    sound = [result for result in found if result.kind == entries.Kind.Healthy]
    lines = [
        f"faults with goldens: {sum(r.got.verdict == _FAIL for r in golden)} of {len(golden)} fail, "
        f"{sum(r.names_cause for r in golden)} named right ({results.share_named(found):.1%})",
        f"same-output faults without goldens: {sum(r.got.verdict == _FAIL for r in blind)} of {len(blind)} fail",
        f"healthy: {sum(r.got.verdict == _FAIL for r in sound)} of {len(sound)} tests fail, "
        f"{sum(r.got.verdict == _PASS for r in sound)} pass, {len({r.model for r in sound})} models",
        f"{len({r.model for r in found})} models, {len(found)} tests, {sum(r.seconds for r in found):.0f} s of testing",
    ]
    return "\n".join(lines)


def draw(path: Path, found: Sequence[results.Result]) -> None:
    """Draw the matrix: what was expected against what was named."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    golden = [result for result in found if result.inputs == entries.Inputs.Goldens]
    pairs = Counter((_expected(result), _got(result)) for result in golden)
    rows = sorted({row for row, _ in pairs}, key=_order)
    columns = sorted({column for _, column in pairs} | set(rows), key=_order)
    size = 0.24 * max(len(rows), len(columns)) + 3.0
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    values = [[pairs.get((row, column), 0) for column in columns] for row in rows]
    axes.imshow(values, cmap="Blues", norm=mpl.colors.PowerNorm(0.4))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if count := pairs.get((row, column), 0):
                right = "white" if count > _DARK else "black"
                colour = right if row == column else "crimson"
                axes.text(x, y, str(count), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_xlabel("named by the engine, with goldens")
    axes.set_ylabel("expected")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
    plt.close(figure)


def _expected(result: results.Result) -> str:
    if result.kind == entries.Kind.Healthy:
        return _PASS
    return next((c for c in result.got.cause.split(" or ") if c in result.causes), result.causes[0])


def _got(result: results.Result) -> str:
    if result.got.verdict != _FAIL:
        return result.got.verdict or "no verdict"
    return _expected(result) if result.names_cause else result.got.cause or "no cause"


def _order(name: str) -> tuple[bool, str]:
    return name != _PASS, name
