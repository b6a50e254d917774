from typing import Any

import pytest

from tfserving_operator.api import reasons
from tfserving_operator.reconcile import objects, queue

SPEC = {
    "model": {"uri": "pvc://models/digits", "version": 1},
    "server": {"image": "tensorflow/serving:2.19.1"},
    "resources": {"limits": {"memory": "512Mi"}},
}


def make_raw(
    version: int = 1, *, name: str = "digits", uid: str = "u", generation: int = 1, **more: Any
) -> Any:
    meta = {
        "name": name,
        "namespace": "n",
        "uid": uid,
        "resourceVersion": str(version),
        "generation": generation,
        **more.pop("metadata", {}),
    }
    return {"metadata": meta, "spec": SPEC, "status": {"observedGeneration": -1}, **more}


class Heard:
    def __init__(self) -> None:
        self.woken: list[str] = []
        self.gone: list[str] = []
        self.known = objects.Objects(
            wake=lambda key: self.woken.append(key.name),
            on_gone=lambda entry: self.gone.append(entry.owner.uid),
        )


@pytest.fixture
def heard() -> Heard:
    return Heard()


KEY = queue.Key("n", "digits")


def test_news_wake_and_what_is_old_or_none_of_our_concern_does_not(heard: Heard) -> None:
    heard.known.apply(make_raw(5))
    heard.known.apply(make_raw(5))
    heard.known.apply(make_raw(4, generation=0))
    heard.known.apply(make_raw(6, metadata={"annotations": {"a": "b"}}))
    assert heard.woken == ["digits"]
    entry = heard.known.get(KEY)
    assert entry is not None
    assert entry.resource_version == "6"


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 2},
        {"status": {"observedGeneration": 1, "phase": "Ready"}},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
)
def test_a_change_of_spec_status_or_life_wakes(heard: Heard, change: Any) -> None:
    heard.known.apply(make_raw(1))
    heard.known.apply(make_raw(2, **change))
    assert heard.woken == ["digits", "digits"]


def test_the_spec_of_one_generation_is_parsed_once(heard: Heard) -> None:
    heard.known.apply(make_raw(1))
    first = heard.known.get(KEY)
    heard.known.apply(make_raw(2, status={"phase": "Ready"}))
    second = heard.known.get(KEY)
    assert first is not None
    assert second is not None
    assert second.spec is first.spec
    assert second.status.phase is reasons.Phase.Ready


def test_a_namesake_takes_the_place_of_what_was_deleted_unseen(heard: Heard) -> None:
    heard.known.apply(make_raw(1))
    heard.known.apply(make_raw(9, uid="v"))
    assert heard.gone == ["u"]
    assert heard.woken == ["digits", "digits"]
    heard.known.remove(make_raw(8))
    assert heard.known.get(KEY) is not None


def test_a_list_finds_deletions_that_the_watch_has_lost(heard: Heard) -> None:
    heard.known.apply(make_raw(1))
    heard.known.apply(make_raw(30, name="newer", uid="w"))
    heard.known.apply(make_raw(2, name="other", uid="v"))
    heard.known.prune({"v"}, resource_version="20", namespace="")
    assert heard.gone == ["u"]
    assert heard.known.get(KEY) is None
    assert len(heard.known) == 2


def test_a_claim_and_cases_lead_to_their_users_until_the_spec_names_others(heard: Heard) -> None:
    smoke = {"casesFrom": [{"configMap": {"name": "goldens", "key": "c.json"}}]}
    heard.known.apply(make_raw(1, spec={**SPEC, "smoke": smoke}))
    assert list(heard.known.users_of_claim("n", "models")) == [KEY]
    assert list(heard.known.users_of_cases("n", "goldens")) == [KEY]
    assert list(heard.known.users_of_claim("m", "models")) == []
    heard.known.apply(
        make_raw(2, generation=2, spec={**SPEC, "model": {"uri": "pvc://else/x", "version": 1}})
    )
    assert list(heard.known.users_of_claim("n", "models")) == []
    assert list(heard.known.users_of_claim("n", "else")) == [KEY]
    assert list(heard.known.users_of_cases("n", "goldens")) == []
    heard.known.remove(make_raw(3))
    assert list(heard.known.users_of_claim("n", "else")) == []


def test_a_status_that_cannot_be_read_is_started_anew_and_its_rest_is_remembered(heard: Heard) -> None:
    heard.known.apply(make_raw(1, status={"phase": "Nonsense", "replicas": "many"}))
    entry = heard.known.get(KEY)
    assert entry is not None
    assert entry.status.phase is reasons.Phase.Pending
    assert entry.wire == {"phase": "Nonsense", "replicas": "many"}


def test_a_spec_that_cannot_be_read_keeps_the_words(heard: Heard) -> None:
    heard.known.apply(make_raw(1, spec={"model": {}}))
    entry = heard.known.get(KEY)
    assert entry is not None
    assert entry.spec is None
    assert "uri" in entry.spec_error
    assert entry.claim == ""
