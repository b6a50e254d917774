from typing import Any

from prometheus_client import parser

from tfserving_operator.adapters import metrics as metric
from tfserving_operator.api import reasons
from tfserving_operator.reconcile import objects, showing

SPEC = {
    "model": {"uri": "pvc://models/digits", "version": 7},
    "server": {"image": "tensorflow/serving:2.19.1"},
    "resources": {"limits": {"memory": "512Mi"}},
}
SINCE = "2026-01-01T00:00:00Z"
ACTIVE = {"name": "digits-1", "version": 7, "since": SINCE}


def condition(kind: str, state: str, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": state, "reason": reason, "lastTransitionTime": SINCE}


async def shown(*raws: dict[str, Any]) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The samples of the metrics with labels, where something is there."""
    known = objects.Objects(wake=lambda _: None, on_gone=lambda _: None)
    metrics = metric.Metrics()
    showing.show(metrics, known)
    for raw in raws:
        known.apply(raw)
    text = (await metrics.render()).decode()
    return {
        family.name.removeprefix("tfserving_operator_"): [
            (s.labels, s.value) for s in family.samples if s.value
        ]
        or [(s.labels, s.value) for s in family.samples][:1]
        for family in parser.text_string_to_metric_families(text)
        if family.name.startswith("tfserving_operator_")
    }


def make(name: str, *conditions: dict[str, Any], replicas: int = 1, **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n", "uid": name, "resourceVersion": "1", "generation": 1}
    written = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return {"metadata": meta, "spec": {**SPEC, "replicas": replicas}, "status": written}


async def test_what_serves_is_told_with_its_version() -> None:
    seen = await shown(
        make("digits", condition("Available", "True", "Serving"), phase="Ready", activeRevision=ACTIVE)
    )
    assert seen["modeldeployments"] == [({"phase": "Ready"}, 1.0)]
    assert seen["modeldeployment_available"] == [({"namespace": "n", "name": "digits"}, 1.0)]
    where = {"namespace": "n", "name": "digits", "revision": "digits-1", "version": "7"}
    assert seen["active_version_info"] == [(where, 1.0)]
    assert "modeldeployment_stalled" not in seen or seen["modeldeployment_stalled"] == []


async def test_what_is_stalled_is_told_with_its_reason() -> None:
    seen = await shown(
        make(
            "digits", condition("Stalled", "True", "ImagePull"), condition("Available", "False", "NotServing")
        )
    )
    where = {"namespace": "n", "name": "digits"}
    assert seen["modeldeployment_stalled"] == [({**where, "reason": "ImagePull"}, 1.0)]
    assert seen["modeldeployment_available"] == [(where, 0.0)]


async def test_what_is_scaled_to_zero_is_not_called_unavailable() -> None:
    seen = await shown(
        make("digits", condition("Available", "False", "NotServing"), replicas=0, phase="ScaledToZero")
    )
    assert seen["modeldeployments"] == [({"phase": "ScaledToZero"}, 1.0)]
    assert seen.get("modeldeployment_available", []) == []


async def test_every_phase_is_there_so_that_none_vanishes_at_nought() -> None:
    known = objects.Objects(wake=lambda _: None, on_gone=lambda _: None)
    metrics = metric.Metrics()
    showing.show(metrics, known)
    text = (await metrics.render()).decode()
    for phase in reasons.Phase:
        assert f'tfserving_operator_modeldeployments{{phase="{phase}"}} 0.0' in text
