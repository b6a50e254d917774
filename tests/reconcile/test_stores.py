from typing import Any

import pytest

from tfserving_operator.core import observed
from tfserving_operator.reconcile import stores


def make_raw(name: str = "a", version: int = 1, uid: str = "u", *, namespace: str = "n", **more: Any) -> Any:
    meta = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version)}
    owners = [{"uid": more.pop("owner"), "controller": True}] if "owner" in more else []
    return {"metadata": {**meta, "ownerReferences": owners, "annotations": more}}


class Changes:
    """A store of ConfigMaps, and what it has told."""

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str | None]] = []
        self.store = stores.Store(observed.config_map_from_raw, self.hear)

    def hear(self, old: observed.ConfigMap | None, new: observed.ConfigMap | None) -> None:
        self.told.append(
            (old.meta.resource_version if old else None, new.meta.resource_version if new else None)
        )


@pytest.fixture
def changes() -> Changes:
    return Changes()


def test_a_change_outside_the_projection_wakes_nobody_but_counts_as_seen(changes: Changes) -> None:
    changes.store.apply(make_raw(version=1))
    changes.store.apply(make_raw(version=3))
    changes.store.apply(make_raw(version=2, colour="old"))
    assert changes.told == [(None, "1")]
    changes.store.apply(make_raw(version=4, colour="new"))
    assert changes.told[1:] == [("3", "4")]


def test_versions_are_compared_as_numbers(changes: Changes) -> None:
    changes.store.apply(make_raw(version=9, colour="red"))
    changes.store.apply(make_raw(version=10, colour="blue"))
    assert changes.told == [(None, "9"), ("9", "10")]


def test_our_own_write_is_not_undone_by_a_late_event(changes: Changes) -> None:
    changes.store.apply(make_raw(version=1))
    changes.store.apply(make_raw(version=5, colour="ours"))
    changes.store.apply(make_raw(version=3, colour="theirs"))
    found = changes.store.get("n", "a")
    assert found is not None
    assert dict(found.annotations) == {"colour": "ours"}


def test_what_we_deleted_does_not_come_back_by_a_late_event(changes: Changes) -> None:
    changes.store.apply(make_raw(version=1))
    changes.store.forget(namespace="n", name="a", uid="u")
    changes.store.apply(make_raw(version=2, colour="late"))
    assert changes.store.get("n", "a") is None
    changes.store.remove(make_raw(version=3))
    changes.store.apply(make_raw(version=4, uid="another"))
    assert changes.told == [(None, "1"), ("1", None), (None, "4")]


def test_a_namesake_is_not_removed_with_its_forerunner(changes: Changes) -> None:
    changes.store.apply(make_raw(version=5, uid="new"))
    changes.store.remove(make_raw(version=4, uid="old"))
    assert changes.store.get("n", "a") is not None


def test_objects_are_found_by_their_controller_and_follow_it(changes: Changes) -> None:
    changes.store.apply(make_raw("a", owner="x"))
    changes.store.apply(make_raw("b", uid="v", owner="x"))
    changes.store.apply(make_raw("c", uid="w"))
    assert sorted(p.meta.name for p in changes.store.owned_by("x")) == ["a", "b"]
    changes.store.apply(make_raw("a", 2, owner="y"))
    assert [p.meta.name for p in changes.store.owned_by("x")] == ["b"]
    changes.store.remove(make_raw("b", 2, uid="v"))
    assert list(changes.store.owned_by("x")) == []


def test_a_list_removes_what_it_no_longer_holds_but_nothing_newer_than_itself(changes: Changes) -> None:
    changes.store.apply(make_raw("old", 5, uid="1"))
    changes.store.apply(make_raw("kept", 6, uid="2"))
    changes.store.apply(make_raw("newer", 21, uid="3"))
    changes.store.apply(make_raw("elsewhere", 5, uid="4", namespace="m"))
    changes.store.prune({"2"}, resource_version="20", namespace="n")
    assert changes.store.get("n", "old") is None
    for namespace, name in (("n", "kept"), ("n", "newer"), ("m", "elsewhere")):
        assert changes.store.get(namespace, name) is not None


def test_a_list_that_was_taken_before_our_deletion_does_not_bring_the_object_back(changes: Changes) -> None:
    changes.store.apply(make_raw(version=1))
    changes.store.forget(namespace="n", name="a", uid="u")
    changes.store.apply(make_raw(version=2))
    changes.store.prune({"u"}, resource_version="2", namespace="")
    assert changes.store.get("n", "a") is None
    changes.store.prune(set(), resource_version="3", namespace="")
    changes.store.apply(make_raw(version=4, uid="u2"))
    assert changes.store.get("n", "a") is not None


def test_an_object_that_cannot_be_read_hides_no_other(changes: Changes) -> None:
    changes.store.apply({"metadata": {"uid": "odd", "name": "odd"}, "data": 1})
    changes.store.apply(make_raw())
    assert changes.store.get("n", "a") is not None
