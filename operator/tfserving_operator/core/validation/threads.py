"""Rules for threads against CPU: the server reads the node's CPUs, not its own limit, and so do its users."""

import re
from collections.abc import Iterator
from typing import Final

from tfserving_operator.api import reasons
from tfserving_operator.core import quantities, workloads
from tfserving_operator.core.validation.violations import Severity, Subject, Violation

_COMPUTING: Final = ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism")
"""Threads that compute: more of them than CPUs take turns, and the kernel stops them all when the quota is used up."""
_FLAGS_BY_VARIABLE: Final = {
    "TF_NUM_INTRAOP_THREADS": "tensorflow_intra_op_parallelism",
    "TF_NUM_INTEROP_THREADS": "tensorflow_inter_op_parallelism",
    "OMP_NUM_THREADS": "tensorflow_intra_op_parallelism",
}
"""Variables that TensorFlow reads for what no flag says; OpenMP's own only in builds with it."""
_OPENMP: Final = "OMP_NUM_THREADS"
_COUNT: Final = re.compile(r"\s*\+?(?P<count>[0-9]{1,19})\s*", re.ASCII)
"""As the server reads it, as far as it is an int64."""


def _count(text: str) -> int:
    form = _COUNT.fullmatch(text)
    return int(form["count"]) if form is not None else 0


def _check_flags(subject: Subject, limit: str, most: int) -> Iterator[Violation]:
    for name in _COMPUTING:
        value = subject.spec.server.flags.get(name, "")
        if _count(value) > most:
            yield Violation(
                field=f"spec.server.flags.{name}",
                value=value,
                problem=f"{value} threads compute on the {limit} CPUs of spec.resources.limits.cpu",
                remedy=f"write at most {most}, or leave it out: the operator sets it from the limit",
                reason=reasons.Reason.InvalidSpec,
            )


def _check_variables(subject: Subject, limit: str, most: int) -> Iterator[Violation]:
    """Tell of variables that ask for other threads: a flag, which the operator always sets then, outranks them."""
    for index, variable in enumerate(subject.spec.server.env):
        flag = _FLAGS_BY_VARIABLE.get(variable.name)
        count = _count(variable.value)
        if flag is None or (count <= most if variable.name == _OPENMP else count in {0, most}):
            continue
        if variable.name == _OPENMP:
            problem = f"{count} threads of OpenMP compute on the {limit} CPUs of spec.resources.limits.cpu"
            remedy = f"write at most {most}"
        else:
            own = subject.spec.server.flags.get(flag, str(most))
            problem = (
                f"{variable.name} has no effect: the flag {flag} is {own}, from spec.resources.limits.cpu"
            )
            remedy = f"set spec.server.flags.{flag}, to at most {most}"
        yield Violation(
            field=f"spec.server.env[{index}]",
            value=variable.value,
            problem=problem,
            remedy=remedy,
            reason=reasons.Reason.InvalidSpec,
            severity=Severity.Warning,
        )


def check(subject: Subject) -> Iterator[Violation]:
    """Flags and variables that ask for more computing threads than the container may have CPUs."""
    limit = subject.spec.resources.limits.get("cpu")
    if limit is None or not quantities.is_quantity(limit):
        return
    most = workloads.cores(subject.spec)
    yield from _check_flags(subject, limit, most)
    yield from _check_variables(subject, limit, most)
