"""What came of a test beside what was expected, and what must hold over all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.zoo import entries
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import plans

LEAST_NAMED: Final = 0.9
"""Share of the faults with goldens whose cause must be named right."""
_OR: Final = " or "


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the engine said."""

    verdict: str
    cause: str
    reason: str
    message: str
    checks: tuple[str, ...] = ()
    """Of those that did not pass: name, verdict, cause and message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One test of one model."""

    model: str
    architecture: str
    kind: str
    situation: str
    seed: int
    inputs: str
    verdict: str
    """Expected; "" where any is right."""
    causes: tuple[str, ...]
    """Any of them is right."""
    same_output: bool
    got: Judged
    seconds: float
    problems: tuple[str, ...] = field(default=())
    """Why this result is not what must be."""

    @property
    def names_cause(self) -> bool:
        """Whether the cause that was named is a right one; two that are named must both explain it, one truly."""
        return any(named in self.causes for named in self.got.cause.split(_OR))

    @property
    def counts_for_causes(self) -> bool:
        """Whether its cause is one of those that must be right nine times in ten."""
        return self.kind == entries.Kind.Fault and self.inputs == entries.Inputs.Goldens

    def document(self) -> dict[str, Any]:
        """As the report holds it."""
        named = {"verdict": self.verdict or "Any", "cause": _OR.join(self.causes)}
        got = asdict(self.got)
        return {
            "model": self.model,
            "seed": self.seed,
            "goldens": self.inputs == entries.Inputs.Goldens,
            "inputs": self.inputs,
            "architecture": self.architecture,
            "situation": self.situation,
            "expected": named,
            "got": got,
            "seconds": round(self.seconds, 3),
            "problems": list(self.problems),
        }


def of_test(
    entry: entries.Entry, inputs: entries.Inputs, seed: int, outcome: plans.TestOutcome, seconds: float
) -> Result:
    """The result of a test of the engine."""
    checks = tuple(
        f"{c.name}: {c.verdict}{'' if c.enforced else ' (warns)'} {c.reason} {c.cause} {c.message}"
        for c in outcome.checks
        if c.verdict != reasons.Verdict.Pass
    )
    got = Judged(
        verdict=str(outcome.verdict or ""),
        cause=outcome.cause,
        reason=outcome.reason,
        message=outcome.message,
        checks=checks,
    )
    return judged(entry, inputs, seed, got, seconds)


def judged(entry: entries.Entry, inputs: entries.Inputs, seed: int, got: Judged, seconds: float) -> Result:
    """A result, with what is wrong with it."""
    wanted = entry.expected(inputs)
    result = Result(
        model=entry.name,
        architecture=entry.architecture,
        kind=str(entry.kind),
        situation=entry.situation,
        seed=seed,
        inputs=str(inputs),
        verdict=str(wanted or ""),
        causes=tuple(sorted(map(str, entry.causes))),
        same_output=entry.same_output,
        got=got,
        seconds=seconds,
    )
    return Result(**_fields(result) | {"problems": tuple(_problems(result))})


def _fields(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__dataclass_fields__}


def _problems(result: Result) -> Iterable[str]:
    got = result.got.verdict
    if result.kind == entries.Kind.Healthy and got == reasons.Verdict.Fail:
        yield "a healthy model fails"
    if result.kind == entries.Kind.Healthy and not got:
        yield "a healthy model cannot be tested"
    if result.kind == entries.Kind.Fault and result.verdict and got != result.verdict:
        yield "a fault is not found"


def share_named(results: Sequence[Result]) -> float:
    """Which share of the faults with goldens is named right."""
    counted = [result for result in results if result.counts_for_causes]
    return sum(result.names_cause for result in counted) / len(counted) if counted else 1.0


def broken_promises(results: Sequence[Result]) -> list[str]:
    """Everything that must hold and does not."""
    found = [
        f"{result.model} (seed {result.seed}, {result.inputs}): {problem}: {result.got.verdict or 'no verdict'}"
        f" {result.got.reason} {result.got.cause}"
        for result in results
        for problem in result.problems
    ]
    if (share := share_named(results)) < LEAST_NAMED:
        found.append(f"the cause is named right for {share:.1%} of the faults with goldens")
    return found
