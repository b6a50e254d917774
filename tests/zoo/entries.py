"""What the catalogue knows of a model before it is built: its fault, what is expected of the engine, and how it is run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np

from tfserving_operator.api import reasons
from tfserving_operator.core.smoke.causes import Cause

FULL_SIZE: Final = "full-size"
"""The architecture of the networks of keras.applications."""


class Kind(StrEnum):
    """Whether a model does what it was trained to do."""

    Healthy = "healthy"
    """means no test may fail it"""
    Fault = "fault"
    """means a test with goldens must fail it and say why"""


class Inputs(StrEnum):
    """What a test of the model is given."""

    Goldens = "goldens"
    """means cases with what the training pipeline answers, and their provenance"""
    Cases = "cases"
    """means the same cases without any expectation"""
    Made = "made"
    """means no cases: the engine makes inputs from the signature"""


class Form(StrEnum):
    """How cases are written."""

    Instances = "instances"
    """means a list of rows"""
    Columnar = "columnar"
    """means values by input name"""
    Archive = "archive"
    """means an npz file, one case for each row"""
    Images = "images"
    """means image files with the decoding named"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Specimen:
    """What a builder hands back beside the SavedModel: what clients send, and what training says to it."""

    rows: Sequence[Any]
    """Raw records as clients send them, one for each row."""
    golden: Mapping[str, np.ndarray[Any, Any]]
    """The healthy pipeline's answers to the raw records, by output, row first."""
    rtol: float = 1e-3
    atol: float = 1e-5
    top_k: int = 0
    """Expect the k highest classes of the only output rather than its values."""
    groups: Sequence[int] = (1, 1, 1, 1, 1, 3)
    """Rows in each case."""
    form: Form = Form.Instances
    records: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    """All raw records by input name, last axis = features: what the statistics of the provenance are made of."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the provenance that is read off the export."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One model of the zoo."""

    name: str
    architecture: str
    """dense, conv, recurrent, text, tabular or full-size."""
    kind: Kind
    situation: str
    """The phrase of the issue's list that this model stands for."""
    build: Callable[[Any], Specimen]
    """Takes a `workshop.Shop`; exports the candidate and, where there is one, the previous version."""
    causes: frozenset[Cause] = frozenset()
    """Any of them is right; more than one only where `why_several` says why they cannot be told apart."""
    why_several: str = ""
    same_output: bool = False
    """Whether the fault makes answers the same for every input, so that it must be found without goldens."""
    undecidable: Mapping[Inputs, str] = field(default_factory=dict)
    """Where a same-output fault cannot be told from a healthy model without goldens: the proof."""
    has_previous: bool = False
    """Whether version 1 is served beside it as the active revision."""
    loads: bool = True
    """Whether the server is expected to start with it."""
    has_made_inputs: bool = True
    """Whether inputs can be made from its signature: not from opaque strings."""
    tested_with: tuple[Inputs, ...] = ()
    """Only with these; all that make sense where it is empty."""
    signature_name: str = "serving_default"
    load_requests: int = 64
    timeout_seconds: float = 120.0

    def inputs(self) -> tuple[Inputs, ...]:
        """What it is tested with."""
        if self.tested_with:
            return self.tested_with
        if not self.loads:
            return (Inputs.Goldens,)
        if self.kind is Kind.Fault and not self.same_output:
            return (Inputs.Goldens, Inputs.Cases)
        return tuple(Inputs) if self.has_made_inputs else (Inputs.Goldens, Inputs.Cases)

    def expected(self, inputs: Inputs) -> reasons.Verdict | None:
        """The verdict that must come of a test; None where any is right. Of a healthy model: anything but Fail."""
        if self.kind is Kind.Healthy:
            return reasons.Verdict.Pass
        if inputs is Inputs.Goldens:
            return reasons.Verdict.Fail
        return reasons.Verdict.Fail if self.same_output and inputs not in self.undecidable else None


def healthy(name: str, build: Callable[[Any], Specimen], situation: str, **more: Any) -> Entry:
    """Describe a healthy model; its architecture is the first part of its name."""
    return Entry(
        name=name,
        architecture=more.pop("architecture", name.split("-", maxsplit=1)[0]),
        kind=Kind.Healthy,
        situation=situation,
        build=build,
        **more,
    )


def fault(
    name: str, build: Callable[[Any], Specimen], situation: str, *expected: Cause, **more: Any
) -> Entry:
    """Describe a faulty model by the causes that may be named for it."""
    if len(expected) > 1 and not more.get("why_several"):
        raise ValueError(f"{name}: say why its causes cannot be told apart")
    return Entry(
        name=name,
        architecture=more.pop("architecture", name.split("-", maxsplit=1)[0]),
        kind=Kind.Fault,
        situation=situation,
        build=build,
        causes=frozenset(expected),
        **more,
    )
