"""Rules for threads against CPU: the server reads the node's CPUs, not its own limit, and so do its users."""

import math
from collections.abc import Iterator
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import quantities
from tfserving_operator.core.validation.violations import Subject, Violation

_COMPUTING: Final = ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism")
"""Threads that compute: more of them than CPUs take turns, and the kernel stops them all when the quota is used up."""


def check(subject: Subject) -> Iterator[Violation]:
    """Flags that ask for more computing threads than the container may have CPUs."""
    limit = subject.spec.resources.limits.get("cpu")
    if limit is None or not quantities.is_quantity(limit):
        return
    cpus = quantities.parse_quantity(limit)
    most = max(1, math.ceil(cpus))
    for name in _COMPUTING:
        value = subject.spec.server.flags.get(name, "")
        if value.isdecimal() and len(value) <= 19 and int(value) > most:  # noqa: PLR2004 - longer ones are no int64
            yield Violation(
                field=f"spec.server.flags.{name}",
                value=value,
                problem=f"{value} threads compute on the {limit} CPUs of spec.resources.limits.cpu",
                remedy=f"write at most {most}, or leave it out: the operator sets it from the limit",
                reason=reasons.Reason.InvalidSpec,
            )
