"""What the inspector says about a model's files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

from tfserving_operator.api import reasons
from tfserving_operator.core import quantities

_SENTENCE_CHARACTERS: Final = 600
_DETAIL_CHARACTERS: Final = 160


class ExitCode(IntEnum):
    """How the inspect container ends; the numbers leave out 1 and 2, which Python and click use themselves."""

    Ok = 0
    """means a SavedModel was found and read"""
    InternalError = 70
    """means the inspector itself failed; it says nothing about the model"""
    ModelNotFound = 71
    """means the model's folder or its version folder is not there"""
    ModelInvalid = 72
    """means the version folder holds no SavedModel that can be read"""
    ModelChanged = 73
    """means the files are not those that passed the smoke test"""
    MemoryBelowFloor = 74
    """means the server's memory limit is below the least in which the model can be loaded"""


EXIT_CODES: Final[Mapping[str, ExitCode]] = {
    "": ExitCode.Ok,
    reasons.Reason.InspectionFailed: ExitCode.InternalError,
    reasons.Reason.ModelNotFound: ExitCode.ModelNotFound,
    reasons.Reason.ModelInvalid: ExitCode.ModelInvalid,
    reasons.Reason.ModelChanged: ExitCode.ModelChanged,
    reasons.Reason.MemoryBelowFloor: ExitCode.MemoryBelowFloor,
}


class Clue(StrEnum):
    """What the graph of a signature, or the model's files, show. Listed with the most telling first.

    A clue explains a failure and never is one: each has healthy models that show it.
    """

    InputDisconnected = "InputDisconnected"
    """means no path leads from an input to any output"""
    ConstantOutput = "ConstantOutput"
    """means an output is computed from constants and variables only"""
    VariablesInitialised = "VariablesInitialised"
    """means the init op, which runs after the weights are restored, assigns variables"""
    BatchNormTraining = "BatchNormTraining"
    """means batch normalisation takes its statistics from the batch"""
    DropoutActive = "DropoutActive"
    """means a random mask is multiplied with activations on the way to an output"""
    Augmentation = "Augmentation"
    """means random numbers crop, flip, turn, colour or disturb what comes in"""
    BatchShuffled = "BatchShuffled"
    """means a shuffle, a queue or a dataset lies on the way to an output"""
    RandomOps = "RandomOps"
    """means random numbers are drawn on the way to an output"""
    TimeOps = "TimeOps"
    """means the clock is read on the way to an output"""
    StateUpdates = "StateUpdates"
    """means a prediction assigns variables or changes tables"""
    IntegerCast = "IntegerCast"
    """means real numbers are cut to integers between an input and an output"""
    LowPrecision = "LowPrecision"
    """means float16 or bfloat16 on the way to an output"""
    Quantised = "Quantised"
    """means quantised weights or activations"""
    MaskInput = "MaskInput"
    """means an input is a mask, or an id is compared with the padding id to make one"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """An input or output of a signature."""

    dtype: str
    """TensorFlow's enum name, such as DT_FLOAT."""
    shape: tuple[int, ...] | None
    """-1 is an unknown size; None is an unknown rank."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """One signature of the SavedModel."""

    method: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """A file that the model brings along, such as a vocabulary."""

    digest: str
    """`sha256:<hex>` of its bytes."""
    size: int
    """In bytes."""
    lines: int
    first: str
    """The first line: index 0 of a vocabulary."""
    is_vocabulary: bool
    """Whether a lookup table reads it."""
    sample: tuple[str, ...] = ()
    """A few of its words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One feature that the graph parses out of serialised tf.Examples."""

    name: str
    dtype: str
    """DT_FLOAT, DT_INT64 or DT_STRING."""
    shape: tuple[int, ...] | None
    """Of one example; None for a ragged or sparse one, which may hold any number of values."""
    has_default: bool
    """Whether an example may leave it out."""


class Reads(StrEnum):
    """What the graph does first with the strings of an input."""

    Unknown = ""
    """means nothing that tells what the strings should be"""
    Words = "Words"
    """means each string is looked up as it stands"""
    Text = "Text"
    """means strings are split into words"""
    Image = "Image"
    """means encoded images: JPEG, PNG, BMP or GIF"""
    Examples = "Examples"
    """means serialised tf.Examples, whose features are listed by signature"""
    Number = "Number"
    """means numbers written out"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """What the graph tells of the values that an input may take."""

    ids: int = 0
    """How many rows the table has that the input's integers index; 0 when not known."""
    reads: Reads = Reads.Unknown
    words: tuple[str, ...] = ()
    """Some words that a lookup table of this input knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What the inspector saw."""

    reason: str = ""
    """"" when the model can be served, else a key of `EXIT_CODES`."""
    message: str = ""
    """A sentence for people, with the remedy; "" without a reason."""
    version: int = 0
    digest: str = ""
    """`sha256:<hex>` over names, sizes and contents of every file of the version folder."""
    weights_digest: str = ""
    """`sha256:<hex>` over the files of `variables/`; "" without any."""
    disk_bytes: int = 0
    variable_bytes: int = 0
    """Of the files in `variables/`."""
    graph_bytes: int = 0
    """Of the file that holds the graph, with its constants."""
    function_bytes: int = 0
    """Of the graph's functions, a part of it."""
    nodes: int = 0
    """Of the graph and its functions."""
    memory_floor: int = 0
    """The least memory in which a server can load the model; 0 from an inspector that did not know it."""
    memory_need: int = 0
    """What it takes to answer the first predictions too, as far as one can tell beforehand; 0 likewise."""
    memory_limit: int = 0
    """Of the server's container in this pod; 0 where the inspector was not told."""
    files: int = 0
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    ops: Mapping[str, int] = field(default_factory=dict)
    """How often each op occurs, in the graph and its functions; the most frequent ones."""
    findings: tuple[str, ...] = ()
    """Sentences about what looks wrong. They explain a failure and never are one."""
    clues: Mapping[Clue, str] = field(default_factory=dict)
    """What the graph shows, each with a short detail: of the signature that is asked for, else of all."""
    assets: Mapping[str, Asset] = field(default_factory=dict)
    """By file name, without the folder."""
    features: Mapping[str, tuple[Feature, ...]] = field(default_factory=dict)
    """By signature: all that it parses out of a tf.Example. A signature is left out rather than cut."""
    hints: Mapping[str, Mapping[str, Hint]] = field(default_factory=dict)
    """By signature and input."""
    truncated: bool = False
    """Whether something was left out so that the report fits."""

    @property
    def model_bytes(self) -> int:
        """What the model takes on disk of all that is loaded: variables and graph."""
        return self.variable_bytes + self.graph_bytes

    @property
    def is_below_floor(self) -> bool:
        """Whether the server's limit is too low for the model to be loaded."""
        return 0 < self.memory_limit < self.memory_floor

    @property
    def exit_code(self) -> ExitCode:
        """What the inspect container ends with."""
        return EXIT_CODES.get(self.reason, ExitCode.InternalError)


def below_floor(found: Inspection) -> str:
    """The sentence about a limit in which the model cannot be loaded."""
    held = f"{quantities.format_bytes(found.variable_bytes)} of variables"
    if found.graph_bytes >= quantities.MI:
        held += f" and a graph of {quantities.format_bytes(found.graph_bytes)}"
    return (
        f"resources.limits.memory is {quantities.format_bytes(found.memory_limit)}, and no server loads this model"
        f" ({held}) in less than {quantities.format_bytes(found.memory_floor)}"
    )


def build(reason: str = "", message: str = "", **fields: Any) -> Inspection:
    """Make an inspection with its sentences cut to a length that always fits."""
    findings = tuple(cut(text, _SENTENCE_CHARACTERS) for text in fields.pop("findings", ()))
    clues = {clue: cut(text, _DETAIL_CHARACTERS) for clue, text in fields.pop("clues", {}).items()}
    message = cut(message, _SENTENCE_CHARACTERS)
    return Inspection(reason=reason, message=message, findings=findings, clues=clues, **fields)


def cut(text: str, characters: int) -> str:
    """Cut a text, and show that it was."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
