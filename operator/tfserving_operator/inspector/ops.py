"""What TensorFlow's ops do, as far as clues need it. Names are of tensorflow/core/ops."""

import re
from typing import Final

RANDOM: Final = re.compile(
    "(Stateless|Stateful)?("
    "Random(Uniform|Normal|StandardNormal|Gamma|Poisson|Binomial|Crop)\\w*|(Random)?Shuffle|TruncatedNormal\\w*|Multinomial"
    "|ParameterizedTruncatedNormal\\w*|StandardNormal(V2)?|Uniform((Full)?Int)?|SampleDistortedBoundingBox(V2)?)"
)
"""They draw random numbers."""
FIXED_SEED: Final = re.compile("Stateless.*")
"""Their numbers are the same for the same seed, which is an input."""

CLOCK: Final = frozenset({"Timestamp"})

VARIABLES: Final = frozenset({"VarHandleOp", "VariableV2", "Variable", "AutoReloadVariable"})
ASSIGNS: Final = frozenset({"Assign", "AssignVariableOp"})
UPDATES: Final = re.compile(
    "Assign|AssignVariableOp|Assign(Add|Sub)(VariableOp)?|Scatter(Nd)?(Add|Sub|Update|Mul|Div|Min|Max)"
    "|ResourceScatter\\w+|(Resource)?(Sparse)?Apply\\w+|(Resource)?CountUpTo|(Resource)?StridedSliceAssign"
    "|LookupTable(Insert|Remove)(V2)?"
)
"""They change variables or tables."""
FEEDS_BACK: Final = re.compile(
    "Queue(Enqueue|EnqueueMany)(V2)?|MakeIterator|StackPush(V2)?|TensorArrayWrite(V2|V3)?|Barrier\\w+|Stage"
)
"""They put values where another op takes them up, with no edge between the two."""
QUEUES: Final = re.compile(
    "Queue(Dequeue|DequeueMany|DequeueUpTo)(V2)?|IteratorGetNext(Sync)?|RandomShuffleQueue(V2)?|ShuffleDataset\\w*|Unstage"
)
"""They may give rows back in another order, or others than were sent."""
HEAVY: Final = re.compile(
    "\\w*MatMul\\w*|\\w*Conv\\w*(2|3)D\\w*|\\w*Conv|DepthwiseConv\\w*|FusedBatchNorm\\w*|Einsum|ResourceGather\\w*|LookupTableFind\\w*"
    "|CudnnRNN\\w*|Quantized\\w+|XlaDot\\w*"
)
"""What they compute is no longer the input, however it is looked at."""
AUGMENTS: Final = frozenset(
    {
        *(
            "Add",
            "AddV2",
            "Sub",
            "Mul",
            "Slice",
            "StridedSlice",
            "CropAndResize",
            "ExtractGlimpse",
            "ExtractGlimpseV2",
        ),
        *("ImageProjectiveTransformV2", "ImageProjectiveTransformV3", "AdjustContrastv2", "AdjustHue"),
        *(
            "AdjustSaturation",
            "Select",
            "SelectV2",
            "If",
            "StatelessIf",
            "Switch",
            "Merge",
            "ReverseV2",
            "Roll",
        ),
        *(
            "Pad",
            "PadV2",
            "MirrorPad",
            "DepthwiseConv2dNative",
            "ResizeBilinear",
            "GatherNd",
            "BatchMatMulV2",
            "Pow",
        ),
    }
)
"""What augmentation does to an image, or to features, with random numbers."""
MIRRORS: Final = frozenset({"ReverseV2", "Reverse", "Transpose", "ImageProjectiveTransformV3"})
MASKS: Final = frozenset({"GreaterEqual", "Greater", "Less", "LessEqual", "Floor", "Round"})
"""They make zeros and ones of random numbers."""
MASKED: Final = frozenset({"Mul", "Select", "SelectV2", "RealDiv", "Div", "MulNoNan"})
GATHERS: Final = frozenset({"Gather", "GatherV2", "ResourceGather"})
BATCH_NORMS: Final = re.compile("FusedBatchNorm(V2|V3)?|_FusedBatchNormEx")
QUANTISED: Final = re.compile(
    "FakeQuant\\w+|Dequantize|QuantizeV2|QuantizeAndDequantize\\w*|Quantized\\w+|Uniform(Quantize|Quantized|Dequantize)\\w*"
)
QUANTISED_TYPES: Final = frozenset({"DT_INT8", "DT_QINT8", "DT_QUINT8", "DT_INT4", "DT_UINT4"})
HALF_TYPES: Final = frozenset({"DT_HALF", "DT_BFLOAT16"})
FLOAT_TYPES: Final = HALF_TYPES | {"DT_FLOAT", "DT_DOUBLE"}
INTEGER_TYPES: Final = frozenset(f"DT_{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
STEPS: Final = frozenset(
    {
        *(
            "Identity",
            "StopGradient",
            "Cast",
            "Reshape",
            "Squeeze",
            "ExpandDims",
            "BroadcastTo",
            "PreventGradient",
        ),
        *(
            "Snapshot",
            "EnsureShape",
            ":argument",
            ":result",
            "PartitionedCall",
            "StatefulPartitionedCall",
            "ReadVariableOp",
        ),
        *("Enter", "RefEnter", "Switch", "Merge", "Exit", "NextIteration", "Placeholder"),
    }
)
"""They pass values on as they are, or nearly."""
RESHAPES: Final = frozenset({"Reshape", "Squeeze", "ExpandDims", "BroadcastTo", "EnsureShape"})
"""They pass on their first input's values."""
IMAGES: Final = frozenset(
    {
        "DecodeJpeg",
        "DecodePng",
        "DecodeImage",
        "DecodeBmp",
        "DecodeGif",
        "DecodeAndCropJpeg",
        "ExtractJpegShape",
    }
)
EXAMPLES: Final = frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample"})
NUMBERS: Final = frozenset({"StringToNumber"})
LOOKUPS: Final = frozenset({"LookupTableFind", "LookupTableFindV2"})
HASHES: Final = frozenset({"StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong"})
SPLITS: Final = frozenset({"StringSplit", "StringSplitV2", "StringNGrams"})
TABLE_FILES: Final = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
TABLE_WORDS: Final = frozenset(
    {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
)


def is_random(op: str) -> bool:
    """Whether an op draws random numbers."""
    return RANDOM.fullmatch(op) is not None
