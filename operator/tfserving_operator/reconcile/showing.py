"""The state of ModelDeployments as metrics: a few series for each, read when they are scraped."""

from collections import Counter

from tfserving_operator.adapters import metrics as metric
from tfserving_operator.api import reasons
from tfserving_operator.core import conditions
from tfserving_operator.reconcile import objects as known


def show(metrics: metric.Metrics, objects: known.Objects) -> None:
    """Add the metrics; a process that stands by knows no objects and shows none."""
    metrics.gauges("modeldeployments", "ModelDeployments by phase.", "phase", read=lambda: _by_phase(objects))
    metrics.gauges(
        "modeldeployment_available",
        "1 where some revision of a ModelDeployment serves, 0 where none does; not for those scaled to zero.",
        "namespace",
        "name",
        read=lambda: _available(objects),
    )
    metrics.gauges(
        "modeldeployment_stalled",
        "1 for each ModelDeployment that makes no progress without a change, with the reason.",
        "namespace",
        "name",
        "reason",
        read=lambda: _stalled(objects),
    )
    metrics.gauges(
        "active_version_info",
        "The revision and model version that a ModelDeployment serves; always 1.",
        "namespace",
        "name",
        "revision",
        "version",
        read=lambda: _active(objects),
    )


def _by_phase(objects: known.Objects) -> metric.Values:
    counted = Counter(entry.status.phase for entry in objects.all())
    return {(phase.value,): float(counted[phase]) for phase in reasons.Phase}


def _available(objects: known.Objects) -> metric.Values:
    return {
        (entry.owner.namespace, entry.owner.name): float(
            _reason_if_true(entry, reasons.ConditionType.Available) is not None
        )
        for entry in objects.all()
        if not (entry.spec is not None and entry.spec.replicas == 0)
    }


def _stalled(objects: known.Objects) -> metric.Values:
    return {
        (entry.owner.namespace, entry.owner.name, reason): 1.0
        for entry in objects.all()
        if (reason := _reason_if_true(entry, reasons.ConditionType.Stalled)) is not None
    }


def _active(objects: known.Objects) -> metric.Values:
    return {
        (entry.owner.namespace, entry.owner.name, active.name, str(active.version)): 1.0
        for entry in objects.all()
        if (active := entry.status.active_revision) is not None
    }


def _reason_if_true(entry: known.ModelDeployment, kind: reasons.ConditionType) -> str | None:
    found = conditions.find(entry.status.conditions, kind)
    return found.reason if found is not None and found.status == "True" else None
