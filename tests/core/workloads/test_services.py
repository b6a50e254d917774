"""The Service's selector is what promotes; it is put right when others change it."""

from typing import Any

import pytest

from tests.support import specs
from tfserving_operator.api import constants
from tfserving_operator.core import observed, workloads

ACTIVE = "resnet-5f2c9d1a"
OTHER = "resnet-00000000"


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386, as the API server does it."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def _live(changes: dict[str, Any] | None = None, *, active: str | None = ACTIVE) -> dict[str, Any]:
    raw = workloads.build_service(
        owner=specs.OWNER, spec=specs.make_spec(**changes or {}), active_revision=active
    )
    raw["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    return raw


def _patch(
    raw: dict[str, Any], changes: dict[str, Any] | None = None, *, active: str | None = ACTIVE
) -> dict[str, Any] | None:
    live = observed.service_from_raw(raw)
    return workloads.service_patch(
        live, owner=specs.OWNER, spec=specs.make_spec(**changes or {}), active_revision=active
    )


def test_a_service_as_it_was_built_needs_no_patch() -> None:
    assert _patch(_live()) is None
    assert _patch(_live(active=None), active=None) is None


def test_a_promotion_changes_selector_and_annotation_together_and_nothing_else() -> None:
    assert _patch(_live(active=None)) == {
        "metadata": {"annotations": {constants.ANNOTATION_ACTIVE_REVISION: ACTIVE}},
        "spec": {"selector": {constants.LABEL_REVISION: ACTIVE}},
    }


def test_without_an_active_revision_no_pod_is_selected() -> None:
    patch = _patch(_live(), active=None)
    assert patch == {
        "metadata": {"annotations": {constants.ANNOTATION_ACTIVE_REVISION: None}},
        "spec": {"selector": {constants.LABEL_REVISION: "none"}},
    }


DRIFT: list[tuple[str, dict[str, Any]]] = [
    ("another revision", {"spec": {"selector": {constants.LABEL_REVISION: OTHER}}}),
    ("a foreign key in the selector", {"spec": {"selector": {"app": "other"}}}),
    ("a key that is gone", {"spec": {"selector": {constants.LABEL_NAME: None}}}),
    ("no selector", {"spec": {"selector": None}}),
    ("another port", {"spec": {"ports": [{"name": "grpc", "port": 9000}]}}),
    ("no ports", {"spec": {"ports": []}}),
    ("another type", {"spec": {"type": "LoadBalancer"}}),
    ("another record", {"metadata": {"annotations": {constants.ANNOTATION_ACTIVE_REVISION: OTHER}}}),
    ("no annotations", {"metadata": {"annotations": None}}),
]


@pytest.mark.parametrize("drift", [row[1] for row in DRIFT], ids=[row[0] for row in DRIFT])
def test_what_is_changed_by_hand_is_put_right_by_one_patch(drift: dict[str, Any]) -> None:
    drifted = _merge(_live(), drift)
    patch = _patch(drifted)
    assert patch is not None
    assert _merge(drifted, patch) == _live()


def test_annotations_of_others_stay_and_those_taken_out_of_the_spec_go() -> None:
    with_both = {"service": {"annotations": {"example.org/a": "1", "example.org/b": "2"}}}
    with_one = {"service": {"annotations": {"example.org/a": "1"}}}
    live = _merge(_live(with_both), {"metadata": {"annotations": {"cloud/id": "x"}}})
    assert _patch(live, with_both) is None
    patch = _patch(live, with_one)
    assert patch is not None
    after = _merge(live, patch)["metadata"]["annotations"]
    assert after == {**_live(with_one)["metadata"]["annotations"], "cloud/id": "x"}
    patch = _patch(live)
    assert patch is not None
    assert _merge(live, patch)["metadata"]["annotations"] == {
        constants.ANNOTATION_ACTIVE_REVISION: ACTIVE,
        "cloud/id": "x",
    }


def test_defaults_that_the_api_server_fills_in_are_no_drift() -> None:
    defaults = {"clusterIP": "10.0.0.1", "sessionAffinity": "None", "ipFamilies": ["IPv4"]}
    assert _patch(_merge(_live(), {"spec": defaults})) is None
