"""Rules for `spec.server.batching`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tfserving_operator.api import reasons, rules, smoke, types
from tfserving_operator.core import quantities, workloads
from tfserving_operator.core.validation.violations import Severity, Subject, Violation

_FIELD: Final = "spec.server.batching"
_THREADS_FOR_CORES: Final = 2
"""Batches that run at once for each core: one computes while another is put together or waits for an accelerator."""
_REST_THREADS: Final = "rest_api_num_threads"
_DIGITS: Final = 10
"""Longer ones are no numbers of threads."""


def _violation(
    field: str, value: object, problem: str, remedy: str, *, severity: Severity = Severity.Error
) -> Violation:
    return Violation(
        field=field,
        value=str(value),
        problem=problem,
        remedy=remedy,
        reason=reasons.Reason.InvalidSpec,
        severity=severity,
    )


def _check_sizes(batching: types.Batching) -> Iterator[Violation]:
    sizes, most = batching.allowed_batch_sizes, batching.max_batch_size
    field = f"{_FIELD}.allowedBatchSizes"
    likely = ", ".join(map(str, sorted({size for size in sizes if size < most} | {most})))
    if sizes and sizes[-1] != most:
        problem = f"the last size is {sizes[-1]}, and maxBatchSize is {most}"
        yield _violation(field, sizes[-1], problem, f"write {likely}")
    if list(sizes) != sorted(set(sizes)):
        written = ", ".join(map(str, sizes))
        yield _violation(field, written, f"the sizes {written} do not ascend", f"write {likely}")


def _check_flags(flags: Mapping[str, str]) -> Iterator[Violation]:
    for name in rules.BATCHING_FLAGS:
        if name in flags:
            yield _violation(
                f"spec.server.flags.{name}",
                flags[name],
                f"{name} is set by spec.server.batching",
                "leave it out",
            )


def _check_threads(spec: types.Spec, batching: types.Batching) -> Iterator[Violation]:
    limit, threads = spec.resources.limits.get("cpu"), batching.num_batch_threads
    if threads is not None and limit is not None and quantities.is_quantity(limit):
        most = _THREADS_FOR_CORES * workloads.cores(spec)
        if threads > most:
            yield _violation(
                f"{_FIELD}.numBatchThreads",
                threads,
                f"{threads} batches at once share the {limit} CPUs of spec.resources.limits.cpu and all take memory",
                f"write at most {most}, or leave it out: the operator sets it from the limit",
                severity=Severity.Warning,
            )


def _check_rest_threads(spec: types.Spec, batching: types.Batching) -> Iterator[Violation]:
    """Tell of flags for fewer threads than wait for a batch: it never fills, and the probe waits behind them."""
    size, least = batching.max_batch_size, workloads.request_threads(spec)
    value = spec.server.flags.get(_REST_THREADS, "")
    if value.isdecimal() and len(value) < _DIGITS and int(value) <= min(size, least):
        yield _violation(
            f"spec.server.flags.{_REST_THREADS}",
            value,
            f"{value} threads can all wait for a batch of {size}, and the readiness probe behind them",
            f"write at least {least}, or leave it out: the operator sets it from the batch",
            severity=Severity.Warning,
        )


def _rows(case: smoke.Case) -> int:
    """How many rows a case has, as far as one can tell; 0 else."""
    if isinstance(case.instances, list):
        return len(case.instances)
    if case.images is not None:
        return len(case.images)
    values: Any = next(iter(case.inputs.values()), None) if isinstance(case.inputs, dict) else case.inputs
    return len(values) if isinstance(values, list) else 0


def _check_cases(spec: types.Spec, batching: types.Batching) -> Iterator[Violation]:
    for index, case in enumerate(spec.smoke.cases):
        rows = _rows(case)
        if rows > batching.max_batch_size:
            yield _violation(
                f"spec.smoke.cases[{index}]",
                case.name,
                f"case {case.name} has {rows} rows, and the server refuses a request with more than maxBatchSize, "
                f"{batching.max_batch_size}",
                f"split it, or raise {_FIELD}.maxBatchSize",
            )


def check(subject: Subject) -> Iterator[Violation]:
    """What is wrong with batching, and with what contradicts it."""
    spec = subject.spec
    if spec.server.batching is None:
        return
    yield from _check_sizes(spec.server.batching)
    yield from _check_flags(spec.server.flags)
    yield from _check_threads(spec, spec.server.batching)
    yield from _check_rest_threads(spec, spec.server.batching)
    yield from _check_cases(spec, spec.server.batching)
