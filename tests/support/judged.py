"""One input and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """Changes to the minimal example."""

    title: str
    changes: Mapping[str, Any]
    said: tuple[str, ...] = ()
    """What our validation says; nothing for good input."""
    name: str = "resnet"
    parses: bool = True
    """Whether it gets through the types."""
    server: str | None = ""
    """A part of the API server's message; None: it accepts what only we can refuse."""
    is_refused: bool = True
    """Whether what is said is an error; else it is a warning."""


def limits(**most: Any) -> dict[str, Any]:
    return {"resources": {"limits": most}}


def requests(asked: Mapping[str, Any], most: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": {"requests": dict(asked), "limits": dict(most)}}
