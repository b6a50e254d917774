"""What `status.resources` says of one revision: its size, its floor, and the limit that it should have."""

from collections.abc import Iterable

from tfserving_operator.api import reasons, status
from tfserving_operator.core import actions, conditions, health, inspection, kills, memory, quantities
from tfserving_operator.core.rollout import drafts, views

_EXAMINED = frozenset({reasons.Step.Testing, reasons.Step.Promoting, reasons.Step.Baking})
"""Steps in which a candidate has been inspected: before, another status write would be needed for it alone."""


def tell(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Tell of the revision that matters most: the candidate, else the wanted one that was refused, else the active."""
    subject = _subject(view, draft)
    if subject:
        draft = with_told_of(view, draft, subject)
    return _with_warning_event(view, draft)


def with_told_of(view: views.View, draft: drafts.Draft, revision: str) -> drafts.Draft:
    """Tell of one revision; what was seen to be needed of it stays, and what is known of others goes."""
    pods = view.snap.pods.get(revision, ())
    report = health.inspection_of(pods)
    if report is None and draft.status.resources is None:
        return draft
    before = draft.status.resources or status.ResourcesStatus()
    if before.revision != revision:
        before = status.ResourcesStatus(
            revision=revision,
            recommended_memory_limit=memory.recommended_limit(
                not_enough=limits_that_killed(view, revision, before.recent_ooms)
            ),
            last_oom=before.last_oom,
            recent_ooms=before.recent_ooms,
        )
    before = _with_peak(before, view.snap.peaks.get(revision))
    if report is None:
        return draft.with_status(resources=before)
    floor = report.memory_floor or None
    known = {
        "model_bytes": report.model_bytes,
        "memory_floor": quantities.format_bytes(floor) if floor else None,
        "qos_class": next((pod.qos_class for pod in pods if pod.qos_class), before.qos_class),
        "recommended_memory_limit": memory.recommended_limit(
            floor_bytes=floor,
            need_bytes=report.memory_need or None,
            before=before.recommended_memory_limit,
        ),
    }
    return draft.with_status(resources=before.model_copy(update=known))


def _with_peak(before: status.ResourcesStatus, measured: int | None) -> status.ResourcesStatus:
    """With the largest working set that was seen so far, and with a limit that leaves room above it."""
    known = quantities.parse_quantity(before.peak_working_set) if before.peak_working_set else 0
    if measured is None or measured <= known:
        return before
    return before.model_copy(
        update={
            "peak_working_set": quantities.format_bytes(measured),
            "recommended_memory_limit": memory.recommended_limit(
                peak_bytes=measured, before=before.recommended_memory_limit
            ),
        }
    )


def refused(view: views.View, draft: drafts.Draft, revision: str, message: str) -> tuple[drafts.Draft, str]:
    """The draft with what is known of a revision that was refused by its floor, and the message with its remedy."""
    draft = with_told_of(view, draft, revision)
    resources = draft.status.resources
    recommended = resources.recommended_memory_limit if resources is not None else None
    return draft, f"{message}; set resources.limits.memory to {recommended}"


def warning(view: views.View, draft: drafts.Draft) -> str:
    """The sentence about a limit below the floor under which a server was started all the same, or ""."""
    for revision in (draft.status.candidate_revision, draft.status.active_revision):
        report = health.inspection_of(view.pods(revision.name)) if revision is not None else None
        if report is not None and report.is_below_floor:
            return _advised(report)
    return ""


def _with_warning_event(view: views.View, draft: drafts.Draft) -> drafts.Draft:
    """Tell once of a server that was started under a limit below its floor."""
    text = warning(view, draft)
    before = conditions.find(view.snap.status.conditions, reasons.ConditionType.ResourcesValid)
    if not text or (before is not None and text in before.message):
        return draft
    return draft.with_event(actions.EventType.Warning, reasons.Reason.MemoryBelowFloor, text)


def _advised(report: inspection.Inspection) -> str:
    recommended = memory.recommended_limit(floor_bytes=report.memory_floor, need_bytes=report.memory_need)
    return f"{inspection.below_floor(report)}; set resources.limits.memory to {recommended}"


def _subject(view: views.View, draft: drafts.Draft) -> str:
    candidate, active, resources = (
        draft.status.candidate_revision,
        draft.status.active_revision,
        draft.status.resources,
    )
    told = resources.revision if resources is not None else ""
    if candidate is not None and (candidate.step in _EXAMINED or told == candidate.name):
        return candidate.name
    if view.quarantined(view.wanted, draft.status) is not None:
        return view.wanted
    return active.name if active is not None else ""


def limits_that_killed(
    view: views.View, revision: str, recent: Iterable[status.OutOfMemory]
) -> frozenset[str]:
    """The limits under which the version of a revision ran out of memory: its own, or those of other revisions."""
    deployments = view.snap.deployments
    present = deployments.get(revision)
    return frozenset(
        deployments[kill.revision].memory_limit
        for kill in recent
        if kill.kind in kills.AGAINST_THE_LIMIT
        and kill.revision in deployments
        and present is not None
        and deployments[kill.revision].version == present.version
    )
