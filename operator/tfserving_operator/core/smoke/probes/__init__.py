"""Counterfactual probes: which change of the inputs puts the answers right, and what that says of the cause.

`plan` is called again and again, and what it returns is sent to the candidate's first pod; `explain` names the
cause from what came back. Both are pure: each replays the searches on what was recorded (see `asking`).
"""

from collections.abc import Sequence

from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.core.smoke.checks import evidence
from tfserving_operator.core.smoke.probes.asking import MAX_BYTES, MAX_REQUESTS

__all__ = ["MAX_BYTES", "MAX_REQUESTS", "explain", "plan"]


def plan(
    found: evidence.Evidence, failures: Sequence[plans.CheckResult]
) -> dict[str, tuple[cases.Case, ...]]:
    """Plan the next changed cases to send to the first pod, by probe; {} where no more can be told."""
    from tfserving_operator.core.smoke.causing import explaining  # noqa: PLC0415 - it imports this package

    return explaining.plan(found, failures)


def explain(found: evidence.Evidence, failure: plans.CheckResult) -> plans.CheckResult:
    """Name the cause of a failure, where it can be told; two that explain it equally are both named."""
    from tfserving_operator.core.smoke.causing import explaining  # noqa: PLC0415 - it imports this package

    return explaining.explain(found, failure)
