"""What the log tells of a written status: enough to follow a rollout without the cluster."""

from collections.abc import Iterable, Mapping

from tfserving_operator.api import reasons, status
from tfserving_operator.core import conditions


def build_line(
    before: status.Status, after: status.Status, *, changed: Iterable[str]
) -> Mapping[str, object]:
    """The fields of the line about a transition.

    Parameters
    ----------
    before, after
        The statuses.
    changed
        The top-level fields of the status that were written.
    """
    line: dict[str, object] = {
        "phase": str(after.phase),
        "before": str(before.phase),
        "generation": after.observed_generation,
        "changed": sorted(changed),
    }
    ready = conditions.find(after.conditions, reasons.ConditionType.Ready)
    if ready is not None:
        line["reason"] = ready.reason
    if after.active_revision is not None:
        line["active"] = after.active_revision.name
        line["activeVersion"] = after.active_revision.version
    if after.candidate_revision is not None:
        line["candidate"] = after.candidate_revision.name
        line["candidateVersion"] = after.candidate_revision.version
        line["step"] = str(after.candidate_revision.step)
    stalled = conditions.find(after.conditions, reasons.ConditionType.Stalled)
    if stalled is not None and stalled.status == "True":
        line["stalled"] = stalled.reason
        line["message"] = stalled.message
    return line
