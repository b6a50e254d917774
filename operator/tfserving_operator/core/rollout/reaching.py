"""What to do about a pod that is Ready and does not answer the operator."""

from dataclasses import replace

from tfserving_operator.api import constants, reasons
from tfserving_operator.core.rollout import views
from tfserving_operator.core.smoke import plans

REMEDY_PAGE = "docs/causes/test-cannot-run.md"
REMEDY_POLICY = "smoke-tests"
"""Name of the NetworkPolicy that the page shows."""


def explained(view: views.View, outcome: plans.TestOutcome) -> plans.TestOutcome:
    """The outcome with the remedy, where nothing but the way to the pod was at fault."""
    if outcome.reason != reasons.Reason.PodUnreachable:
        return outcome
    place = view.snap.policy.operator_namespace
    who = f"namespace {place}" if place else "the operator's namespace"
    text = (
        f"{outcome.message}; the kubelet reaches it, so a NetworkPolicy or a mesh stands between: let {who} in on "
        f"TCP {constants.PORT_REST} (NetworkPolicy {REMEDY_POLICY} in {REMEDY_PAGE})"
    )
    return replace(outcome, message=text)
