"""What the `inspect` init container says about a model, and how it is carried in 4096 bytes."""

from tfserving_operator.core.inspection.message import MESSAGE_BYTES, parse_termination_message, render
from tfserving_operator.core.inspection.report import (
    EXIT_CODES,
    Asset,
    Clue,
    ExitCode,
    Feature,
    Hint,
    Inspection,
    Reads,
    Signature,
    Tensor,
    below_floor,
    build,
)

__all__ = [
    "EXIT_CODES",
    "MESSAGE_BYTES",
    "Asset",
    "Clue",
    "ExitCode",
    "Feature",
    "Hint",
    "Inspection",
    "Reads",
    "Signature",
    "Tensor",
    "below_floor",
    "build",
    "parse_termination_message",
    "render",
]
