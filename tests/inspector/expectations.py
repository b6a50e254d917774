"""The clues that each exported graph gives."""

from tfserving_operator.core.inspection import Clue

_AUGMENTED = {Clue.Augmentation, Clue.RandomOps}
_TRAINING_BATCH_NORM = {Clue.BatchNormTraining, Clue.StateUpdates}

CLUES: dict[str, set[Clue]] = {
    **{
        f"augmented_{kind}": _AUGMENTED | _TRAINING_BATCH_NORM
        for kind in ("flip", "rotation", "crop", "noise", "brightness", "contrast", "zoom")
    },
    "batch_norm_training": _TRAINING_BATCH_NORM,
    "batch_norm_training_dense": _TRAINING_BATCH_NORM,
    "clock": {Clue.TimeOps},
    "constant": {Clue.InputDisconnected, Clue.ConstantOutput},
    "constant_head": set(),
    "counting": {Clue.StateUpdates},
    "disconnected": {Clue.InputDisconnected, Clue.ConstantOutput},
    "dropout_active": {Clue.DropoutActive, Clue.RandomOps, Clue.StateUpdates},
    "dropout_of_weights": {Clue.DropoutActive, Clue.RandomOps},
    "encoded_image": set(),
    "fake_quantised": {Clue.Quantised},
    "float16": {Clue.LowPrecision},
    "float_ids": set(),
    "frozen_random": {Clue.InputDisconnected, Clue.RandomOps},
    "healthy_conv": set(),
    "integer_cast": {Clue.IntegerCast},
    "layer_norm_fused": set(),
    "narrow": set(),
    "parsed": set(),
    "parsed_single": set(),
    "parsed_v1": set(),
    "permuted": {Clue.BatchShuffled, Clue.RandomOps},
    "quantised": {Clue.Quantised},
    "recurrent": {Clue.MaskInput},
    "resnet50": set(),
    "sampled": {Clue.RandomOps},
    "shuffled": {Clue.BatchShuffled, Clue.RandomOps},
    "sorted_at_random": {Clue.BatchShuffled, Clue.RandomOps},
    "strings": set(),
    "text": set(),
    "through_a_variable": {Clue.StateUpdates},
    "through_control_flow": set(),
    "training_conv": {Clue.DropoutActive, Clue.RandomOps, *_TRAINING_BATCH_NORM},
    "transformer": {Clue.MaskInput},
    "two_signatures": set(),
    "v1_batch_norm": {Clue.BatchNormTraining},
    "v1_flip": _AUGMENTED,
    "v1_healthy": set(),
    "v1_legacy_reinitialised": {Clue.VariablesInitialised},
    "v1_loop_dropout": {Clue.DropoutActive, Clue.RandomOps},
    "v1_phase_serving": set(),
    "v1_phase_training": {Clue.BatchNormTraining, Clue.DropoutActive, Clue.RandomOps},
    "v2_phase_serving": set(),
    "v2_phase_training": {Clue.BatchNormTraining, Clue.DropoutActive, Clue.RandomOps},
    "v1_queue": {Clue.BatchShuffled},
    "v1_reinitialised": {Clue.VariablesInitialised},
    "v1_restored_by_main_op": set(),
    "v1_vocabulary": set(),
    "vocabulary_file": set(),
}
