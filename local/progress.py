"""Short lines that say what is going on and since when."""

import dataclasses
import sys
import time


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Prints lines with the seconds since its start; standard output stays free for results."""

    name: str
    started: float = dataclasses.field(default_factory=time.monotonic)
    """Monotonic seconds."""

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"{self.name} {time.monotonic() - self.started:6.1f} s  {text}", file=sys.stderr, flush=True)


class MissingError(Exception):
    """Something that this machine lacks; its text is one line that says what, and how to go on."""


MISSING_EXIT_CODE = 3
"""The exit code for what this machine lacks, as against what failed."""
