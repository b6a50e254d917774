"""The smallest memory limit under which a model server loads a model and answers: by trials in a cgroup.

The limit is the kernel's own, set the way the kubelet sets a container's. On a cgroup v1 host only.
"""

import contextlib
import dataclasses
import enum
import http
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks import loads

ROOT: Final = Path("/sys/fs/cgroup/memory")
MIB: Final = 2**20
ANSWER_SECONDS: Final = 60.0
"""From the start to the first answer: a server that needs longer does not work under that limit."""
_numbers = itertools.count()


class Outcome(enum.StrEnum):
    """How a trial ended."""

    Answered = "Answered"
    """means the model was loaded and answered a prediction in time"""
    Loaded = "Loaded"
    """means the model was loaded, and the server killed at the first prediction, or too slow to answer it"""
    Killed = "Killed"
    """means the kernel killed the server before the model was loaded"""
    Slow = "Slow"
    """means it neither ended nor loaded the model in time"""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One run under one limit."""

    limit: int
    outcome: Outcome
    seconds: float
    peak: int
    """The most bytes that were charged, pages of files included."""
    anonymous: int
    """Bytes that no file backs, after the first answer; 0 without one."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A model to serve, and a prediction that it answers."""

    name: str
    folder: Path
    """Holds the version folder."""
    request: bytes
    """The body of a predict call."""
    flags: tuple[str, ...] = ()


UNLIMITED: Final = 64 * 1024 * MIB
Told = Callable[[Trial], None]


@contextlib.contextmanager
def group(limit: int) -> Iterator[Path]:
    """A cgroup with a limit, removed afterwards."""
    path = ROOT / f"tfserving-floor-{os.getpid()}-{next(_numbers)}"
    path.mkdir()
    try:
        (path / "memory.limit_in_bytes").write_text(str(limit))
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            path.rmdir()
            return
        time.sleep(0.05)
    path.rmdir()


def warm(folder: Path) -> None:
    """Read a model's files, as the inspector does before the server: their pages are charged to the reader."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb", buffering=0) as content:
                while content.read(4 * MIB):
                    pass


def attempt(subject: Subject, limit: int, log: Path, seconds: float = ANSWER_SECONDS) -> Trial:
    """Start a server under a limit and see whether it answers."""
    began = time.monotonic()
    with group(limit) as inside:
        join = f"echo $$ > {inside}/cgroup.procs"
        with loads.started(subject.folder, log, *subject.flags, prepare=join) as server:
            outcome = _outcome(server, subject, began + seconds)
            took = time.monotonic() - began
            anonymous = int(server.memory_mib() * MIB) if outcome is Outcome.Answered else 0
            peak = int((inside / "memory.max_usage_in_bytes").read_text())
    return Trial(limit=limit, outcome=outcome, seconds=took, peak=peak, anonymous=anonymous)


def _outcome(server: loads.Server, subject: Subject, until: float) -> Outcome:
    """What happens to a server until some time."""
    model = loads.get(f"/v1/models/{loads.MODEL}/metadata")
    if not _says_yes(server, model, until):
        return Outcome.Killed if server.process.poll() is not None else Outcome.Slow
    answers = _says_yes(server, loads.post(subject.request), until)
    return Outcome.Answered if answers else Outcome.Loaded


def _says_yes(server: loads.Server, request: bytes, until: float) -> bool:
    while (left := until - time.monotonic()) > 0 and server.process.poll() is None:
        with contextlib.suppress(OSError, IndexError, ValueError):
            status, body = loads.ask_once(server.rest_port, request, seconds=left)
            if status == http.HTTPStatus.OK:
                return True
            if status == http.HTTPStatus.BAD_REQUEST:
                raise RuntimeError(f"the request is wrong: {body!r}")
        time.sleep(0.05)
    return False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the trials of a model came to, in bytes."""

    loads: int
    """The smallest limit under which it was loaded."""
    answers: int
    """The smallest limit under which it was loaded and answered."""
    trials: tuple[Trial, ...]


def least_limit(subject: Subject, log: Path, told: Told, seconds: float = ANSWER_SECONDS) -> Found:
    """Bisect for the smallest limits, to 2.5% or 1 MiB."""
    warm(subject.folder)
    trials: list[Trial] = []

    def works(limit: int) -> Trial:
        trial = attempt(subject, limit, log, seconds)
        told(trial)
        trials.append(trial)
        return trial

    attempt(
        subject, UNLIMITED, log, seconds
    )  # reads the server's own files, whose pages stay charged to nobody
    ample = works(UNLIMITED)
    if ample.outcome is not Outcome.Answered:
        raise RuntimeError(f"{subject.name} does not answer without a limit: {log.read_text()[-2000:]}")
    enough = ample.peak
    while works(enough).outcome is not Outcome.Answered:
        enough += enough // 10
    answers = _bisect(works, enough, {Outcome.Answered})
    loaded = {Outcome.Answered, Outcome.Loaded}
    high = min(t.limit for t in trials if t.outcome in loaded)
    low = max((t.limit for t in trials if t.limit < high), default=0)
    return Found(loads=_bisect(works, high, loaded, low), answers=answers, trials=tuple(trials))


def _bisect(works: Callable[[int], Trial], high: int, wanted: set[Outcome], low: int = 0) -> int:
    """The smallest limit with a wanted outcome, up to one that should be enough; it is mostly a little below that."""
    while high - low > max(MIB, high // 40):
        middle = (low + high) // 2 if low else high * 4 // 5
        if works(middle).outcome in wanted:
            high = middle
        else:
            low = middle
    return high
