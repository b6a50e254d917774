"""Why a model answers as it does: what status and Events call it."""

from enum import StrEnum


class Cause(StrEnum):
    """The cause of a failure, as far as the answers tell it."""

    UnscaledInput = "UnscaledInput"
    """means the model was trained on scaled inputs, and gets them as they are"""
    ScaledTwice = "ScaledTwice"
    """means the model scales inputs that are scaled already"""
    ConstantOutput = "ConstantOutput"
    """means the answer depends on the input at no smaller scale that was tried"""
    NotANumber = "NotANumber"
    """means the model computes NaN or Infinity: broken weights, a division by zero, an overflow"""
    AllocationFailed = "AllocationFailed"
    """means TensorFlow's allocator got no memory for a prediction"""
    VariablesMissing = "VariablesMissing"
    """means the weights were never loaded: variables/variables.index is missing, an incomplete copy"""
    DataTruncated = "DataTruncated"
    """means a file of variables is cut off, an incomplete copy"""
    OpMissing = "OpMissing"
    """means the server has no such op: it is too old, or lacks a custom one"""
    SignatureChanged = "SignatureChanged"
    """means the new version no longer takes what the active one takes"""
