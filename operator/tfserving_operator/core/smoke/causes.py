"""Why a model answers as it does: what status and Events call it, and what to do about it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """The cause of a failure, as far as answers, probes and the inspection of the model's files tell it."""

    # The input is not what the model was trained on
    UnscaledInput = "UnscaledInput"
    """means the model was trained on scaled inputs, and gets them as they are"""
    ScaledTwice = "ScaledTwice"
    """means the model scales inputs that are scaled already"""
    ScalerMismatch = "ScalerMismatch"
    """means inputs are scaled with other constants than in training"""
    ChannelOrder = "ChannelOrder"
    """means red and blue are swapped: RGB where the model was trained on BGR, or the other way round"""
    ChannelsAxis = "ChannelsAxis"
    """means channels come first where the model takes them last, or the other way round"""
    FeatureOrder = "FeatureOrder"
    """means features arrive in another order, or under another's name, than in training"""
    FeaturesDefaulted = "FeaturesDefaulted"
    """means the model reads features by names that are not sent, and takes its defaults for all of them"""
    TokenIdsShifted = "TokenIdsShifted"
    """means token ids are off by one: another tokenizer version counts its unknown token differently"""
    RawText = "RawText"
    """means whole texts are sent where the model takes tokens"""
    OutOfVocabulary = "OutOfVocabulary"
    """means the model knows none of the words, such as capitals before a lower-case vocabulary"""
    OneHotIndex = "OneHotIndex"
    """means class indices are sent where the model takes one-hot vectors, or the other way round"""
    SequenceMasked = "SequenceMasked"
    """means the mask or the padding id hides the whole sequence from the model"""

    # The model's files are not those that were meant
    VocabularyMismatch = "VocabularyMismatch"
    """means the model carries another version of a vocabulary than the goldens were recorded with"""
    StaleAsset = "StaleAsset"
    """means the model carries another version of an asset than the goldens were recorded with"""
    StaleWeights = "StaleWeights"
    """means the new version holds the weights of the active one"""
    WeightsReinitialised = "WeightsReinitialised"
    """means the model initialises its variables again after they were restored"""
    VariablesMissing = "VariablesMissing"
    """means the weights were never loaded: variables/variables.index is missing, an incomplete copy"""
    DataTruncated = "DataTruncated"
    """means a file of variables is cut off, an incomplete copy"""
    OpMissing = "OpMissing"
    """means the server has no such op: it is too old, or lacks a custom one"""
    SignatureMissing = "SignatureMissing"
    """means the model has no signature of the name that the spec asks for"""
    SignatureChanged = "SignatureChanged"
    """means the new version no longer takes what the active one takes, or what the goldens were recorded with"""
    LabelOrder = "LabelOrder"
    """means the outputs' classes come in another order than in training"""

    # The graph computes something else in serving than in training
    ConstantOutput = "ConstantOutput"
    """means the answer does not depend on the input at any scale that was tried"""
    InputDisconnected = "InputDisconnected"
    """means no path leads from the input to the output in the exported graph"""
    DeadActivations = "DeadActivations"
    """means ReLU units that are zero for every normal input: only far larger inputs change the answer"""
    CollapsedBatchNorm = "CollapsedBatchNorm"
    """means batch normalisation divides by a huge moving variance, so that nothing of the input is left"""
    BatchNormTraining = "BatchNormTraining"
    """means batch normalisation runs in training mode: an answer depends on the batch that it comes in"""
    BatchDependent = "BatchDependent"
    """means an answer depends on the other rows of its batch, such as by padding"""
    RowOrder = "RowOrder"
    """means the rows of a batch are answered in another order than they were sent in"""
    WrongAxis = "WrongAxis"
    """means argmax or softmax runs over the batch rather than over the classes"""
    DominantClass = "DominantClass"
    """means one class wins for every input, such as after training on unbalanced data"""
    DropoutActive = "DropoutActive"
    """means dropout runs in serving"""
    AugmentationActive = "AugmentationActive"
    """means training's augmentation (crops, flips, noise) runs in serving"""
    RandomOutputs = "RandomOutputs"
    """means the same request gets another answer each time"""
    TimeDependent = "TimeDependent"
    """means the graph reads the clock"""
    StateDrift = "StateDrift"
    """means answering changes the model's state, and with it the next answers"""
    LoadDependent = "LoadDependent"
    """means answers under concurrent load are not those to the same requests alone"""
    LowPrecision = "LowPrecision"
    """means float16 or bfloat16 arithmetic accounts for the difference"""
    IntegerTruncation = "IntegerTruncation"
    """means fractions are cut off on the way in or out"""

    # Numbers and memory
    NotANumber = "NotANumber"
    """means the model computes NaN or Infinity: broken weights, a division by zero, an overflow"""
    AllocationFailed = "AllocationFailed"
    """means TensorFlow's allocator got no memory for a prediction"""
    GpuAllocationFailed = "GpuAllocationFailed"
    """means the GPU's own memory was not enough"""


_SCALE: Final = "export the model with its scaling, or scale in the client as in training"
_EXPORT: Final = "export the model again"
_COPY: Final = "copy the version folder again, as a whole, and publish it by a rename"

REMEDIES: Final[Mapping[Cause, str]] = {
    Cause.UnscaledInput: _SCALE,
    Cause.ScaledTwice: "scale once: either in the exported model or in the client",
    Cause.ScalerMismatch: "use the scaler that was fitted on this model's training data, best inside the exported model",
    Cause.ChannelOrder: "send the channels in the order of training (TensorFlow decodes RGB, OpenCV BGR)",
    Cause.ChannelsAxis: "send images in the layout that the model takes: channels last is TensorFlow's",
    Cause.FeatureOrder: "send features in the order and under the names of training; named inputs are safer",
    Cause.FeaturesDefaulted: "send the features under the names that the model parses; see the finding for them",
    Cause.TokenIdsShifted: "use the tokenizer version of training, best inside the exported model",
    Cause.RawText: "tokenise in the client as in training, or export the model with its tokenizer",
    Cause.OutOfVocabulary: "normalise text as in training (case, punctuation), and ship the vocabulary of training",
    Cause.OneHotIndex: "encode classes as in training: one-hot vectors or indices, not the other",
    Cause.SequenceMasked: "send the mask as in training (1 keeps a token), and pad with the padding id of training",
    Cause.VocabularyMismatch: "export the model with the vocabulary that it was trained with",
    Cause.StaleAsset: "export the model with the asset that it was trained with",
    Cause.StaleWeights: "publish the weights of the new version: this folder holds those of the active one",
    Cause.WeightsReinitialised: f"{_EXPORT} without an initialiser as main_op or legacy_init_op",
    Cause.VariablesMissing: _COPY,
    Cause.DataTruncated: _COPY,
    Cause.OpMissing: "use a server image that has this op, or export without it",
    Cause.SignatureMissing: "export the model with this signature, or name one that it has in spec.model.signatureName",
    Cause.SignatureChanged: "export with the inputs that clients send, or change the clients and the cases first",
    Cause.LabelOrder: "export the model with the label order of training, or change the clients' list of labels",
    Cause.ConstantOutput: "look at how the output is computed in the export: it does not use the input",
    Cause.InputDisconnected: f"{_EXPORT} with the serving input wired to the network, not to a constant",
    Cause.DeadActivations: "train again with a lower learning rate, other initialisation or leaky activations",
    Cause.CollapsedBatchNorm: "train again: the moving statistics are broken; check momentum and steps",
    Cause.BatchNormTraining: f"{_EXPORT} with training=False",
    Cause.BatchDependent: "make each row's answer independent of its batch, or pad all rows to one length",
    Cause.RowOrder: "take shuffling and queues out of the exported graph",
    Cause.WrongAxis: "compute argmax and softmax over the last axis (axis=-1)",
    Cause.DominantClass: "balance the training data or weight the classes, and check recall for each class",
    Cause.DropoutActive: f"{_EXPORT} with training=False",
    Cause.AugmentationActive: f"{_EXPORT} without the augmentation layers, or with training=False",
    Cause.RandomOutputs: "take random ops out of the exported graph, or turn the repeatability check off",
    Cause.TimeDependent: "pass the time as an input",
    Cause.StateDrift: "export without ops that assign variables, or turn the repeatability check off",
    Cause.LoadDependent: "look for shared state in the graph, such as variables that a request assigns",
    Cause.LowPrecision: "serve in float32, or record the goldens with tolerances for float16",
    Cause.IntegerTruncation: "keep floats through the graph: look for casts to integers",
    Cause.NotANumber: "look for broken weights, logarithms and divisions without an epsilon",
    Cause.AllocationFailed: "raise resources.limits.memory, or send smaller batches",
    Cause.GpuAllocationFailed: (
        "send smaller batches, use a GPU with more memory, or have it alone; resources.limits.memory does not help"
    ),
}
"""What to do about each cause."""

_OF_ERRORS: Final = (
    (re.compile(r"Could not find variable"), Cause.VariablesMissing),
    (re.compile(r"Attempting to use uninitialized value"), Cause.VariablesMissing),
    (re.compile(r"Error while reading resource variable"), Cause.VariablesMissing),
    (re.compile(r"variables/variables\.\S*; No such file or directory"), Cause.VariablesMissing),
    (re.compile(r"Read less bytes than requested"), Cause.DataTruncated),
    (re.compile(r"Op type not registered"), Cause.OpMissing),
)
"""What TensorFlow says of a model whose files are incomplete or which needs another server, whatever the input."""


def of_error(text: str) -> Cause | None:
    """Tell the cause from an error that TensorFlow gives while it loads or runs a model, if its words tell it."""
    return next((cause for pattern, cause in _OF_ERRORS if pattern.search(text)), None)
