"""Strings for inputs: words, texts, images and serialised examples, as far as the model's files tell which.

What nothing tells of cannot be made: a string may be anything.
"""

import base64
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tfserving_operator.core import inspection
from tfserving_operator.core.smoke import families, pictures, tfexamples

_IMAGE_SIDE: Final = 96
_IMAGE_NAME: Final = re.compile(
    r"(image|img|jpe?g|png)\w*(bytes|b64|encoded|string)|encoded_\w*image", re.IGNORECASE
)
_ENCODED_FEATURE: Final = re.compile(
    r"image.*encoded|encoded.*image|(jpe?g|png)$|image_bytes|image_raw", re.IGNORECASE
)
_ANY_WORDS: Final = ("red", "green", "blue", "one", "two", "three", "north", "south")
_TEXT_WORDS: Final = 7
_ANY_LENGTH: Final = 3
"""Values of a feature that may have any number of them."""
_MAX_VALUES: Final = 500_000
"""Of one example."""

Hint = inspection.Hint
Reads = inspection.Reads
Features = tuple[inspection.Feature, ...]


def cannot(name: str, hint: Hint, features: Features) -> str:
    """Say why no strings can be made for an input; "" when they can."""
    match reads_of(name, hint):
        case Reads.Image | Reads.Number:
            return ""
        case Reads.Examples if features:
            total = sum(math.prod(feature.shape or (1,)) for feature in features)
            odd = [f.name for f in features if f.dtype not in ("DT_FLOAT", "DT_INT64", "DT_STRING")]
            if odd or total > _MAX_VALUES:
                return "takes serialised tf.Examples that are too large or unusual to be made up"
            return ""
        case Reads.Examples:
            return 'takes serialised tf.Examples, and the model\'s files do not show of which features: add smoke.cases whose strings are {"b64": "…"}'
        case Reads.Words | Reads.Text if hint.words:
            return ""
        case Reads.Words | Reads.Text:
            return "takes words of a vocabulary that the model's files do not show: add smoke.cases with words that it knows"
        case Reads.Unknown:
            return f'takes strings (text, encoded images, serialised examples), and nothing tells which: add smoke.cases, such as [{{name: a, inputs: {{{name}: ["…"]}}}}]; bytes are written {{"b64": "…"}}'


def reads_of(name: str, hint: Hint) -> Reads:
    """What an input takes, by the graph, else by its name."""
    if hint.reads is Reads.Unknown and _IMAGE_NAME.search(name):
        return Reads.Image
    return hint.reads


def values(wanted: families.Wanted, hint: Hint, features: Features, index: int) -> Any:
    """Make the strings of one input in one case, as nested lists."""
    reads = reads_of(wanted.name, hint)
    count = math.prod(wanted.shape)
    made = [_one(f"{wanted.name}/{row}", reads, hint, features, index) for row in range(count)]
    return _nested(made, wanted.shape)


def _one(seed: str, reads: Reads, hint: Hint, features: Features, index: int) -> Any:
    match reads:
        case Reads.Image:
            return _as_bytes(_image(seed, index))
        case Reads.Examples:
            return _as_bytes(tfexamples.serialise({f.name: _feature(seed, f, index) for f in features}))
        case Reads.Number:
            wanted = families.Wanted(name=seed, dtype="DT_FLOAT", shape=(1,))
            return f"{float(families.values(wanted, index)[0]):g}"
        case Reads.Text:
            chosen = families.uniform(f"{seed}/{index}", 2 + index % _TEXT_WORDS) * len(hint.words)
            return " ".join(hint.words[int(at)] for at in chosen)
        case Reads.Words | Reads.Unknown:
            return _word(seed, hint.words or _ANY_WORDS, index)


def _word(seed: str, words: Sequence[str], index: int) -> str:
    """Another word in each case, as long as there are any."""
    start = int(families.uniform(seed, 1)[0] * len(words))
    return words[(start + index) % len(words)]


def _image(seed: str, index: int) -> bytes:
    shape = (_IMAGE_SIDE, _IMAGE_SIDE, 3)
    return pictures.encode(families.values(families.Wanted(name=seed, dtype="DT_UINT8", shape=shape), index))


def _feature(seed: str, feature: inspection.Feature, index: int) -> tfexamples.Values:
    shape = (_ANY_LENGTH,) if feature.shape is None else feature.shape
    count = math.prod(shape)
    name = f"{seed}/{feature.name}"
    if feature.dtype == "DT_STRING":
        if _ENCODED_FEATURE.search(feature.name):
            return [_image(f"{name}/{i}", index) for i in range(count)]
        return [_word(f"{name}/{i}", _ANY_WORDS, index).encode() for i in range(count)]
    made = families.values(families.Wanted(name=name, dtype=feature.dtype, shape=(count,)), index)
    return [float(value) for value in made] if feature.dtype == "DT_FLOAT" else [int(value) for value in made]


def _as_bytes(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def _nested(made: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(made), dtype=object)
    array[:] = made
    return array.reshape(shape).tolist() if shape else made[0]
