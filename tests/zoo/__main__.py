"""``python -m tests.zoo``: build, serve and test every model of the zoo, and say whether the engine judges them right."""

import concurrent.futures
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import rich.console

from tests.zoo import building, catalogue, entries, keepers, listing, reports, results

REPORTS: Final = Path(__file__).parents[2] / "build" / "zoo"
MODELS_PER_SERVER: Final = 24
"""So that both cores have work to the end, and start-ups are few."""


def run(
    names: Sequence[str], seeds: Sequence[int], jobs: int, modes: Sequence[entries.Inputs] = ()
) -> list[results.Result]:
    """Build and test models."""
    chosen = catalogue.chosen(names)
    parts: list[tuple[list[str], int]] = []
    for seed in seeds:
        building.build_all(chosen, seed)
        large = [entry.name for entry in chosen if entry.architecture == entries.FULL_SIZE]
        small = [entry.name for entry in chosen if entry.architecture != entries.FULL_SIZE]
        parts += [
            (part, seed)
            for part in (*_parts(large, (len(large) + 1) // 2 or 1), *_parts(small, MODELS_PER_SERVER))
        ]
    if jobs <= 1 or len(parts) == 1:
        return [result for part, seed in parts for result in keepers.keep(part, seed, modes)]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        futures = [pool.submit(keepers.keep, part, seed, modes) for part, seed in parts]
        return [result for future in futures for result in future.result()]


def _parts(names: Sequence[str], size: int) -> list[list[str]]:
    return [list(names[i : i + size]) for i in range(0, len(names), size)]


@click.command()
@click.option("--seeds", type=click.IntRange(1), help="How many seeds: 1, 2, ….")
@click.option("--seed", type=int, default=1, show_default=True, help="One seed.")
@click.option(
    "--only", multiple=True, help="Models of this name or pattern, such as conv-*; can be repeated."
)
@click.option(
    "--inputs", type=click.Choice([str(i) for i in entries.Inputs]), multiple=True, help="Only these tests."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Servers at a time.")
@click.option(
    "--catalogue", "is_listing", is_flag=True, help="Print the catalogue as Markdown, and test nothing."
)
@click.option("--verbose", is_flag=True, help="Print what the engine said to what went wrong.")
def main(
    seeds: int | None,
    seed: int,
    only: Sequence[str],
    inputs: Sequence[str],
    jobs: int,
    is_listing: bool,
    verbose: bool,
) -> None:
    """Run the zoo; the exit code is 1 when a promise is broken."""
    if is_listing:
        click.echo(listing.markdown(catalogue.chosen(only)))
        return
    console = rich.console.Console(width=None if sys.stdout.isatty() else 200)
    modes = [entries.Inputs(each) for each in inputs]
    found = run(only, range(1, seeds + 1) if seeds else (seed,), jobs, modes)
    reports.show(console, found)
    if verbose:
        for result in found:
            if result.problems or (result.counts_for_causes and not result.names_cause):
                console.print(
                    f"\n[bold]{result.model}[/] {result.inputs}: {result.got.message}",
                    *result.got.checks,
                    sep="\n   ",
                )
    reports.write_json(REPORTS / "report.json", found)
    reports.draw(REPORTS / "matrix.png", found)
    broken = results.broken_promises(found)
    for line in broken:
        console.print(f"[red]{line}[/]")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
