"""What the calibration of the memory floor found: its file, its table, and its picture."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tfserving_operator.core import memory, quantities

MIB: Final = 2**20
RESULTS: Final = Path(__file__).with_name("memory_floor.json")
PICTURE: Final = Path(__file__).parents[1] / "docs" / "img" / "memory-floor.svg"
PAGE: Final = PICTURE.parents[1] / "memory-floor.md"
BEGIN: Final = "<!-- table -->"
END: Final = "<!-- end of table -->"
GRID: Final = tuple(percent / 100 for percent in range(5, 100, 5))
"""Limits that cannot load a model, as parts of the smallest one that can."""
UPPER_HALF: Final = tuple(part for part in GRID if part >= 0.5)
"""Those that come near it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was found of one model; sizes in bytes."""

    name: str
    variable_bytes: int
    graph_bytes: int
    """Of the graph's file."""
    function_bytes: int = 0
    """Of the graph's functions, a part of it."""
    nodes: int = 0
    loads: int
    """The smallest limit under which it was loaded."""
    answers: int
    """The smallest limit under which it was loaded and answered."""
    anonymous: int
    """What no file backed after the first answer, without a limit."""
    trials: tuple[tuple[int, str, float], ...]
    """Limit, outcome and seconds of each run."""

    @property
    def size(self) -> memory.Size:
        """What the operator's inspector saw; of mapped weights nothing counts."""
        if self.name.startswith("tflite"):
            return memory.Size(variable_bytes=0, graph_bytes=0)
        return memory.Size(
            variable_bytes=self.variable_bytes,
            graph_bytes=self.graph_bytes,
            function_bytes=self.function_bytes,
            nodes=self.nodes,
        )

    @property
    def floor(self) -> int:
        """What the operator refuses limits below."""
        return memory.floor_bytes(self.size)

    @property
    def recommended(self) -> int:
        """What it recommends instead."""
        said = memory.recommended_limit(floor_bytes=self.floor, need_bytes=memory.need_bytes(self.size))
        assert said is not None
        return int(quantities.parse_quantity(said))

    @property
    def falsely_refused(self) -> list[int]:
        """Limits under which it answered, and that the floor refuses."""
        return [limit for limit, outcome, _ in self.trials if outcome == "Answered" and limit < self.floor]


def refused(rows: Iterable[Row], grid: Sequence[float] = GRID) -> float:
    """The share of limits that cannot load a model which are refused: all models and limits count alike."""
    cases = [part * row.loads < row.floor for row in rows for part in grid]
    return sum(cases) / len(cases)


def read(path: Path) -> list[Row]:
    """Read results."""
    return [
        Row(**{**raw, "trials": tuple(map(tuple, raw["trials"]))}) for raw in json.loads(path.read_text())
    ]


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write results."""
    written = [dataclasses.asdict(row) for row in sorted(rows, key=lambda row: (row.loads, row.name))]
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in written) + "\n]\n")


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown, and what it comes to; sizes and limits in MiB."""
    lines = [
        "| Model | Variables | Graph | Nodes | Floor | Loads from | Answers from | Recommended |",
        "| --- " * 8 + "|",
    ]
    for row in rows:
        sizes = (f"{size / MIB:.2f}" for size in (row.variable_bytes, row.graph_bytes))
        limits = (f"{limit / MIB:.0f}" for limit in (row.floor, row.loads, row.answers, row.recommended))
        lines.append("| " + " | ".join([f"`{row.name}`", *sizes, str(row.nodes), *limits]) + " |")
    answered = sum(outcome == "Answered" for row in rows for _, outcome, _ in row.trials)
    false = sum(len(row.falsely_refused) for row in rows)
    lines += [
        "",
        f"Of {answered} runs of {len(rows)} models that answered, the floor refuses {false}. Of the limits that cannot load",
        f"a model, from 5% to 95% of the least that can, it refuses {refused(rows):.1%}; of those from half of it on,",
        f"{refused(rows, UPPER_HALF):.1%}.",
    ]
    return "\n".join(lines)


def write_page(rows: Sequence[Row]) -> None:
    """Put the table into its page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


def draw(rows: Sequence[Row]) -> None:
    """Draw the floor against the smallest limits."""
    import matplotlib as mpl  # noqa: PLC0415 - only the picture needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    plt.rcParams |= {"svg.hashsalt": "memory-floor", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    floors = [row.floor / MIB for row in rows]
    edges = [min(floors) * 0.9, max(row.answers for row in rows) / MIB * 1.1]
    axes.plot(edges, edges, color="black", linewidth=1, label="the floor")
    for name, marker, colour in (("loads", "v", "tab:blue"), ("answers", "^", "tab:orange")):
        axes.scatter(
            floors, [getattr(row, name) / MIB for row in rows], s=22, marker=marker, color=colour, alpha=0.8,
            label=f"smallest limit under which the server {name}",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="memory floor of the model, MiB", ylabel="memory limit, MiB")
    axes.fill_between(edges, [edges[0]] * 2, edges, color="tab:red", alpha=0.08, label="refused")
    axes.set(xlim=edges, ylim=edges)
    axes.grid(which="both", alpha=0.25)
    axes.legend(loc="upper left")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None, "Creator": None})
