"""Kubernetes quantities, exactly: `500m`, `1.5Gi`, `1e3`, `.5`, `12E6`."""

import functools
import math
import re
from fractions import Fraction
from typing import Final

_FORM: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<number>[0-9]+(\.[0-9]*)?|\.[0-9]+)"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE](?P<exponent>[+-]?[0-9]+))?",
    re.ASCII,
)
_SCALES: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}
_NANO: Final = 10**9
_MAX: Final = Fraction(2**63 - 1)
"""Kubernetes caps what is larger."""
_FAR: Final = 64
"""An exponent beyond it is beyond the cap, or below a nano, whatever the number: quantities are short."""

KI: Final = 1024
MI: Final = 1024**2
GI: Final = 1024**3


def _scale(suffix: str, exponent: str | None) -> Fraction:
    if exponent is None:
        return _SCALES[suffix]
    power = max(-_FAR, min(_FAR, int(exponent)))
    return Fraction(10) ** power


# Every decision reads the same few texts again; fractions are slow to make
@functools.lru_cache(maxsize=1024)
def parse_quantity(text: str) -> Fraction:
    """What a quantity is worth: rounded away from zero to a nano and capped, as Kubernetes does.

    Raises
    ------
    ValueError
        When the text is not a quantity.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is not a quantity: write one like 500m, 2, 512Mi or 1Gi")
    amount = Fraction(form["number"].rstrip(".")) * _scale(form["suffix"] or "", form["exponent"])
    amount = min(Fraction(math.ceil(amount * _NANO), _NANO), _MAX)
    return -amount if form["sign"] == "-" else amount


def is_quantity(text: str) -> bool:
    """Whether the text is a quantity."""
    return _FORM.fullmatch(text) is not None


def format_bytes(count: int) -> str:
    """A number of bytes as a memory quantity, rounded up to whole MiB: what a limit can be set to."""
    mebibytes = math.ceil(count / MI)
    return f"{mebibytes // KI}Gi" if mebibytes and mebibytes % KI == 0 else f"{mebibytes}Mi"
