"""Where a reference's answers differ from goldens, number by number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfserving_operator.core.smoke import answers, cases
from tfserving_operator.core.smoke.checks import goldens


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One output of one case."""

    case: str
    output: str
    agrees: bool
    largest_absolute: float | None
    """None where it cannot be told: another shape, strings, classes."""
    largest_relative: float | None
    said: str
    """"" when it agrees, else the sentence that a smoke test would say."""


def compare(
    found: Sequence[cases.Case], answered: Mapping[str, Mapping[str, np.ndarray[Any, Any]]]
) -> tuple[Difference, ...]:
    """Compare answers by case name with the cases' goldens; cases without goldens are left out."""
    return tuple(
        difference
        for case in found
        if case.expect is not None
        for difference in _compare_case(case, case.expect, answered[case.name])
    )


def _compare_case(
    case: cases.Case, expect: cases.Expect, outputs: Mapping[str, np.ndarray[Any, Any]]
) -> Iterable[Difference]:
    answer = answers.Answer(status=200, outputs=outputs)
    for name, golden in expect.outputs.items():
        only = cases.Case(
            name=case.name,
            instances=case.instances,
            inputs=case.inputs,
            expect=cases.Expect(outputs={name: golden}, rtol=expect.rtol, atol=expect.atol),
        )
        said = goldens.mismatch(only, answer)
        absolute, relative = _distances(outputs.get(name), np.asarray(golden))
        yield Difference(
            case=case.name,
            output=name,
            agrees=not said,
            largest_absolute=absolute,
            largest_relative=relative,
            said=said,
        )
    if expect.top_k is not None:
        only = cases.Case(
            name=case.name,
            instances=case.instances,
            inputs=case.inputs,
            expect=cases.Expect(top_k=expect.top_k),
        )
        said = goldens.mismatch(only, answer)
        yield Difference(
            case=case.name,
            output=f"{expect.top_k.output} (top {expect.top_k.k})",
            agrees=not said,
            largest_absolute=None,
            largest_relative=None,
            said=said,
        )


def _distances(
    got: np.ndarray[Any, Any] | None, want: np.ndarray[Any, Any]
) -> tuple[float | None, float | None]:
    if got is None or got.size != want.size or "U" in (got.dtype.kind, want.dtype.kind):
        return None, None
    apart = np.abs(got.reshape(-1).astype(float) - want.reshape(-1).astype(float))
    sizes = np.abs(want.reshape(-1).astype(float))
    relative = apart[sizes > 0] / sizes[sizes > 0]
    return float(apart.max(initial=0.0)), float(relative.max(initial=0.0))
