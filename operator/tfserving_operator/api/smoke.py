"""The smoke test as users write it."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from tfserving_operator.api.bounds import Int32, Int64, Mode, Number, ObjectName, SpecModel

UNTYPED: Final[JsonDict] = {"x-kubernetes-preserve-unknown-fields": True}

Tolerance = Annotated[Number, Field(ge=0)]


class TopK(SpecModel):
    """The classes with the highest values, for outputs too wide to be written out."""

    output: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the output."""
    k: Annotated[Int32, Field(ge=1, le=100)]
    """How many classes are compared."""
    classes: Annotated[
        tuple[Annotated[tuple[Annotated[Int64, Field(ge=0)], ...], Field(max_length=100)], ...],
        Field(min_length=1, max_length=1024),
    ]
    """For each row, the k classes, highest first."""


class Expectation(SpecModel):
    """What a case's answer must be."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["outputs"]}, {"required": ["topK"]}]}
    )

    outputs: (
        Annotated[dict[str, Any], Field(min_length=1, max_length=64, json_schema_extra=UNTYPED)] | None
    ) = None
    """By the output's name: the values, batch first, as the predict API answers them."""
    top_k: TopK | None = None
    """For wide outputs: which classes come first."""
    rtol: Tolerance = 1e-3
    """Tolerance relative to the expected value. Default 0.001."""
    atol: Tolerance = 1e-5
    """Tolerance in absolute terms. Default 0.00001."""


class Channels(StrEnum):
    """The order of a decoded image's channels."""

    RGB = "RGB"
    """means red first: what TensorFlow and Pillow decode"""
    BGR = "BGR"
    """means blue first: what OpenCV decodes"""
    Gray = "Gray"
    """means one channel"""


class Scale(StrEnum):
    """The range of a decoded image's values."""

    Bytes = "0..255"
    """means values as they are in the file"""
    Unit = "0..1"
    """means divided by 255"""
    Symmetric = "-1..1"
    """means divided by 127.5, minus 1"""


class ImageFormat(StrEnum):
    """What kind of file an image is."""

    JPEG = "JPEG"
    """means JPEG"""
    PNG = "PNG"
    """means PNG"""
    BMP = "BMP"
    """means a bitmap"""
    GIF = "GIF"
    """means the first frame of a GIF"""
    WEBP = "WEBP"
    """means WebP"""


class ImageDtype(StrEnum):
    """The type of a decoded image's values."""

    UInt8 = "uint8"
    """means whole numbers, which float inputs take too"""
    Float32 = "float32"
    """means numbers with a fraction"""


class Decode(SpecModel):
    """How an image file becomes the values of one row: height x width x channels."""

    format: ImageFormat | None = None
    """What the file must be. Without it, any of the known formats."""
    channels: Channels = Channels.RGB
    """The order of the channels: RGB, BGR or Gray. Default RGB."""
    height: Annotated[Int32, Field(ge=1, le=4096)] | None = None
    """The height that the model takes; the image is resized to it, bilinearly. Without it, the image's own."""
    width: Annotated[Int32, Field(ge=1, le=4096)] | None = None
    """The width that the model takes. Without it, the image's own."""
    dtype: ImageDtype | None = None
    """uint8 or float32. Default: uint8 for values from 0 to 255, else float32."""
    scale: Scale = Scale.Bytes
    """The range of the values. Default 0..255."""


class Image(SpecModel):
    """An image file. For a model that takes encoded files, write instances: [{b64: ...}] instead."""

    b64: Annotated[str, Field(min_length=1, max_length=204800)]
    """The file, as base64."""
    decode: Decode = Decode()
    """How it becomes values."""


class Case(SpecModel):
    """One or more rows that are sent to the model."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}, {"required": ["images"]}]
        }
    )

    name: Annotated[
        str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$")
    ]
    """Names the case in messages."""
    instances: Annotated[Any, Field(json_schema_extra=UNTYPED)] = None
    """Row form: a list with one entry for each row, sent as it stands. Either this, inputs or images."""
    inputs: Annotated[Any, Field(json_schema_extra=UNTYPED)] = None
    """Columnar form: each input's values by its name, batch first, sent as they stand. Either this, instances or images."""
    images: Annotated[tuple[Image, ...], Field(min_length=1, max_length=64)] | None = None
    """Image files, one for each row, which the operator decodes. Either this, instances or inputs."""
    expect: Expectation | None = None
    """The golden answer; a case without one still counts for all other checks."""


class ConfigMapKey(SpecModel):
    """A key of a ConfigMap in the same namespace."""

    name: ObjectName
    """Name of the ConfigMap."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key that holds cases as JSON or YAML, or, in binaryData and with a name that ends in .npz, as numpy arrays."""


class CasesSource(SpecModel):
    """Where further cases are."""

    config_map: ConfigMapKey
    """A ConfigMap. With the label tfserving.dev/smoke-cases=true its changes are noticed at once, else at the next test."""


class Check(SpecModel):
    """Whether a check is made and what its failure leads to."""

    mode: Mode = Mode.Enforce
    """Enforce rejects the revision, Warn reports, Off skips the check. Default Enforce."""


class GoldenCheck(SpecModel):
    """A check that is sure of itself only where goldens say what is right."""

    mode: Mode | None = None
    """Enforce rejects the revision, Warn reports, Off skips the check. Default: Enforce for outputs that a case's golden names, Warn for others."""


class DistinctOutputs(Check):
    """Different inputs must not all get the same answer."""

    min_relative_spread: Annotated[Number, Field(ge=0, le=1)] = 1e-6
    """How far answers to different inputs must be apart, relative to their size. Default 0.000001."""


class BatchInvariance(GoldenCheck):
    """A row's answer must not depend on the batch that it comes in."""

    rtol: Tolerance = 1e-2
    """How far answers may be apart, relative to how far different inputs put them apart. Default 0.01."""
    atol: Tolerance = 0.0
    """How far answers may be apart beyond that, in absolute terms. Default 0."""


class Latency(Check):
    """Predictions must not take too long."""

    max_seconds: Annotated[Number, Field(gt=0, le=3600)] | None = None
    """The longest time that any case may take when it is sent alone and the model is warm. Without it, time is not judged."""


class Checks(SpecModel):
    """The checks of a smoke test."""

    right_version: Check = Check()
    """The pod answers for the version that was asked for."""
    prediction_succeeds: Check = Check()
    """Every case is answered. A pod that cannot be reached, or a case that is wrong, is no verdict in any mode."""
    signature: Check = Check()
    """The model has the signature, and it is the one that cases and goldens were written for."""
    finite: Check = Check()
    """No answer holds NaN or Infinity."""
    distinct_outputs: DistinctOutputs = DistinctOutputs()
    """Different inputs do not all get the same answer, neither in a batch nor alone."""
    class_collapse: GoldenCheck = GoldenCheck()
    """Not one class wins for every input, where goldens name several."""
    repeatability: GoldenCheck = GoldenCheck()
    """The same request gets the same answer."""
    batch_invariance: BatchInvariance = BatchInvariance()
    """A row gets the same answer alone, in a batch, and in a batch in another order."""
    goldens: Check = Check()
    """Answers agree with what cases expect."""
    load_answers: GoldenCheck = GoldenCheck()
    """Answers in the burst before promotion are those to the same requests alone."""
    latency: Latency = Latency()
    """Predictions are fast enough."""


class Load(SpecModel):
    """A burst of requests before promotion, so that a model that runs out of memory on them does so before traffic."""

    requests: Annotated[Int32, Field(ge=0, le=10000)] = 64
    """How many requests; 0: no burst. Default 64."""
    concurrency: Annotated[Int32, Field(ge=1, le=64)] = 4
    """How many at a time. Default 4."""


class OnInconclusive(StrEnum):
    """What happens when a smoke test ran and its answers cannot decide."""

    Hold = "Hold"
    """means the revision is not promoted"""
    Promote = "Promote"
    """means the revision is promoted"""


class Smoke(SpecModel):
    """The smoke test: what is sent to a revision before and after it takes traffic, and what is made of the answers."""

    cases: Annotated[
        tuple[Case, ...],
        Field(
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    """Cases, up to 200 KiB in all. Without any case, inputs are made from the model's signature."""
    cases_from: Annotated[tuple[CasesSource, ...], Field(max_length=16)] = ()
    """Further cases in ConfigMaps."""
    checks: Checks = Checks()
    """What is made of the answers."""
    load: Load = Load()
    """The burst before promotion."""
    timeout_seconds: Annotated[Int32, Field(ge=1, le=3600)] = 120
    """How long one smoke test may take. Default 120."""
    repeat_seconds: Annotated[Int32, Field(ge=0, le=604800)] = 600
    """The active revision is tested again this often; 0: never. Default 600."""
    on_inconclusive: OnInconclusive = OnInconclusive.Hold
    """What happens when the answers cannot decide. Default Hold."""
