"""How many pods of the active revision evictions may take at a time."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from tfserving_operator.api.bounds import INT32_MAX, SpecModel

_PERCENT: Final = r"^(100|[1-9]?[0-9])%$"


def _count_or_percent(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT32_MAX:
        return value
    if isinstance(value, str) and re.match(_PERCENT, value):
        return value
    raise ValueError(f'{value} is neither a number of pods nor a percentage: write one like 1 or "25%"')


CountOrPercent = Annotated[
    int | str,
    BeforeValidator(_count_or_percent),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "minimum": 0,
            "maximum": INT32_MAX,
            "maxLength": 4,
            "pattern": _PERCENT,
        }
    ),
]
"""A number of pods, or a percentage of them, rounded up."""


class Disruption(SpecModel):
    """What drains and other evictions may take."""

    max_unavailable: CountOrPercent | None = None
    """Pods of the active revision that evictions may take at a time, as a number or a percentage (rounded up): a PodDisruptionBudget. 0 forbids all evictions, and drains wait for ever. Default: no budget."""
