"""Whether a namespace and its cluster have room for a revision: told before anything starts, with the numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from tfserving_operator.api import reasons, types
from tfserving_operator.core import snapshot
from tfserving_operator.core.room import limit_ranges, needs, nodes, quotas

__all__ = ["Shortage", "shortages"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """What is short, and by how much."""

    reason: reasons.Reason
    message: str


def shortages(spec: types.Spec, surroundings: snapshot.Surroundings) -> Iterator[Shortage]:
    """Say what keeps a revision's pods from being created or placed, beside what runs already.

    Parameters
    ----------
    spec
        Valid, and not started yet.
    surroundings
        The namespace's quotas and limit ranges, and the nodes; what is not known is empty and not judged.
    """
    pod = needs.of_pod(spec, surroundings.limit_ranges)
    for message in limit_ranges.problems(pod, surroundings.limit_ranges):
        yield Shortage(reason=reasons.Reason.PodsRefused, message=message)
    for message in quotas.problems(spec, pod, surroundings.quotas):
        yield Shortage(reason=reasons.Reason.QuotaExceeded, message=message)
    if message := nodes.problem(spec, pod, surroundings.nodes):
        yield Shortage(reason=reasons.Reason.Unschedulable, message=message)
