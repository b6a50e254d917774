"""The list that the zoo must cover: how served models go wrong, and what is healthy and tempting."""

from typing import Final

SAME_OUTPUT: Final = (
    "image model fed unscaled pixels",
    "one dominant class after training on unbalanced data",
    "dropout left on",
    "weights never restored (re-initialised by the main op)",
    "a retrained Inception-style export whose bottleneck is fed from a frozen random tensor",
    "input placeholder disconnected",
    "constant folded output",
    "raw text sent to a tokenised model",
    "all words out of vocabulary",
    "features mapped in the wrong order",
    "features mapped to the wrong name",
    "features all defaulted to zero",
    "dead ReLUs",
    "collapsed batch norm",
    "batch norm in training mode",
    "argmax over the wrong axis",
    "sequence fully masked",
)
"""The same output for every input."""

DIFFERENT: Final = (
    "scaler missing",
    "scaler applied twice",
    "scaler fitted on other data",
    "RGB/BGR",
    "NHWC/NCHW",
    "tokenizer version where unknown is 0 rather than -1 (ids shifted by one)",
    "vocabulary of another version",
    "label order changed",
    "batch prediction against single prediction (padding)",
    "batch prediction against single prediction (batch statistics)",
    "float16 and float32",
    "int truncation",
    "time-of-day features in the graph",
    "random features in the graph",
    "an older version's weights under a new number",
    "a stale asset",
    "rows of a batch shuffled",
    "rows of a batch answered in another order",
    "training augmentation (crop)",
    "training augmentation (flip)",
    "training augmentation (noise)",
    "answers that degrade under concurrent load",
)
"""Answers differ from training."""

BROKEN: Final = (
    "NaN",
    "Inf",
    "NaN, only for some inputs",
    "random outputs",
    "state that drifts between calls",
    "partial copies",
    "truncated data",
    "missing signature",
    "wrong dtype",
    "an op missing in the server",
)
"""Not numbers, not stable, not there."""

TEMPTING: Final = (
    "argmax or class-id outputs",
    "a constant auxiliary head",
    "a rare-event classifier that says no to noise",
    "tiny output ranges",
    "saturating but right outputs",
    "sampling by intent",
    "dropout by intent (Bayesian)",
    "stateful counters",
    "fixed batch size",
    "batch size one",
    "ragged strings",
    "string outputs",
    "embedding look-ups",
    "quantised models",
    "float16 models",
    "1,000-wide softmax",
    "segmentation maps of a million values",
    "models whose previous version is constant too",
    "a model that rightly changes its answers after retraining with updated goldens",
)
"""Healthy and tempting."""

FAULTS: Final = (*SAME_OUTPUT, *DIFFERENT, *BROKEN)
