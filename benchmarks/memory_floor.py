"""Calibrates the memory floor: the smallest limit under which a server loads a model and answers, for many models.

``python -m benchmarks.memory_floor measure`` runs every model in cgroups of its own (root, cgroup v1; an hour, 6 GB
of disk), and writes ``benchmarks/memory_floor.json``. ``… table`` prints it beside the floor, ``… draw`` puts
table and picture into ``docs/memory-floor.md``. ``measure NAME…`` measures some again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import floor_report, limits
from tests.zoo import building, catalogue, entries
from tfserving_operator.inspector import command

FLAGS: Final = (
    *("--file_system_poll_wait_seconds=0", "--max_num_load_retries=0", "--enable_profiler=false"),
    *("--num_load_threads=1", "--num_unload_threads=1", "--rest_api_num_threads=16"),
    *("--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"),
)
"""As the operator renders them for a limit of one CPU."""
SYNTHETIC: Final = (
    *("dense-1", "dense-16", "dense-64", "dense-256", "dense-1024", "dense-2048"),
    *("lookup-16", "lookup-256", "lookup-1024", "half-256", "half-1024", "many-128"),
    *("constant-4", "constant-16", "constant-64", "constant-256", "frozen-4", "frozen-64", "frozen-256"),
    "tflite-32",
)
ZOO: Final = (
    *("dense-signals", "dense-bayesian", "dense-embedding", "dense-quantised", "dense-float16-weights"),
    *("conv-pictures", "conv-segmentation", "conv-files", "text-sentences", "text-hashed", "text-ids"),
    *("recurrent-lstm", "recurrent-series", "tabular-named", "tabular-examples", "tabular-recommender"),
    *("resnet50", "inceptionv3-files"),
)
SEED: Final = 1
WIDTH: Final = 256
"""Of the synthetic models' only input."""
VARIANTS: Final = {
    "threads-64": ("dense-64", ("--rest_api_num_threads=64", "--tensorflow_intra_op_parallelism=8")),
    "batching": ("dense-64", ("--enable_batching=true",)),
}
"""The same model under other flags: whether threads and batches belong to the floor."""


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    measuring = commands.add_parser("measure")
    measuring.add_argument("names", nargs="*")
    measuring.add_argument("--seconds", type=float, default=limits.ANSWER_SECONDS)
    measuring.add_argument("--into", type=Path, default=floor_report.RESULTS)
    for name in ("table", "draw"):
        commands.add_parser(name)
    arguments = parser.parse_args()
    if arguments.command == "measure":
        names = arguments.names or (*SYNTHETIC, *VARIANTS, *ZOO)
        measure(names, arguments.seconds, arguments.into)
    elif arguments.command == "table":
        print(floor_report.table(floor_report.read(floor_report.RESULTS)))
    else:
        rows = floor_report.read(floor_report.RESULTS)
        floor_report.write_page(rows)
        floor_report.draw(rows)


def measure(names: Sequence[str], seconds: float, into: Path) -> None:
    """Measure models one after the other, and keep what is known after each."""
    known = {row.name: row for row in floor_report.read(into)} if into.exists() else {}
    for name in names:
        with tempfile.TemporaryDirectory(prefix="floor-") as scratch:
            subject = subject_of(name, Path(scratch))
            found = limits.least_limit(subject, Path(scratch) / "log", _told(name), seconds)
            known[name] = _row(subject, found)
        floor_report.write(into, list(known.values()))
        row = known[name]
        print(f"{name}: loads from {row.loads >> 20} MiB on, answers from {row.answers >> 20}", flush=True)


def subject_of(name: str, scratch: Path) -> limits.Subject:
    """The model of a name, exported or built where it is not there yet."""
    if name in ZOO:
        return _of_zoo(name)
    model, flags = VARIANTS.get(name, (name, ()))
    kept = os.environ.get("FLOOR_MODELS")
    folder = Path(kept) if kept else scratch
    if not (folder / model).is_dir():
        command_line = [sys.executable, "-m", "benchmarks.export_sized_models", folder, model]
        subprocess.run(command_line, check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    if model.startswith("tflite"):
        flags = (*flags, "--prefer_tflite_model=true")
    row = json.dumps({"instances": [[0.0] * WIDTH]}).encode()
    return limits.Subject(name=name, folder=folder / model, request=row, flags=(*FLAGS, *flags))


def _of_zoo(name: str) -> limits.Subject:
    (entry,) = catalogue.chosen([name])
    building.build_all([entry], SEED)
    place = building.place(entry, SEED)
    first = json.loads((place / building.SPECIMEN).read_text())["cases"][0]
    body = {key: first[key] for key in ("instances", "inputs") if key in first}
    if entry.signature_name != entries.Entry.__dataclass_fields__["signature_name"].default:
        body["signature_name"] = entry.signature_name
    return limits.Subject(name=name, folder=place / "model", request=json.dumps(body).encode(), flags=FLAGS)


def _row(subject: limits.Subject, measured: limits.Found) -> floor_report.Row:
    version = next(int(path.name) for path in sorted(subject.folder.iterdir(), reverse=True))
    found = command.inspect(subject.folder, version)
    return floor_report.Row(
        name=subject.name,
        variable_bytes=found.variable_bytes,
        graph_bytes=found.graph_bytes,
        function_bytes=found.function_bytes,
        nodes=found.nodes,
        loads=measured.loads,
        answers=measured.answers,
        anonymous=measured.trials[0].anonymous,
        trials=tuple(
            (t.limit, t.outcome, round(t.seconds, 1)) for t in sorted(measured.trials, key=lambda t: t.limit)
        ),
    )


def _told(name: str) -> limits.Told:
    def told(trial: limits.Trial) -> None:
        print(
            f"  {name} under {trial.limit / limits.MIB:8.1f} MiB: {trial.outcome} after {trial.seconds:.1f} s,"
            f" peak {trial.peak / limits.MIB:.0f}, anonymous {trial.anonymous / limits.MIB:.0f}",
            flush=True,
        )

    return told


if __name__ == "__main__":
    main()
