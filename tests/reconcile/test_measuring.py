import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from tfserving_operator.core import snapshot
from tfserving_operator.reconcile import measuring, objects


def make_entry(uid: str = "u") -> objects.ModelDeployment:
    meta = {"name": "digits", "namespace": "vision", "uid": uid, "resourceVersion": "1"}
    entry = objects.parse({"metadata": meta, "spec": {}})
    assert entry.owner == snapshot.Owner(name="digits", namespace="vision", uid=uid, generation=0)
    return entry


ENTRY = make_entry()


@dataclass
class Bench:
    """Measurements of pods that a test makes up."""

    pods: dict[str, frozenset[str]] = field(default_factory=lambda: {"digits-1": frozenset({"a", "b"})})
    found: Mapping[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)

    def build(self, settle_seconds: float = 0.0) -> measuring.Measurements:
        return measuring.Measurements(
            ask=self.ask,
            pods=lambda entry, revision: self.pods.get(revision, frozenset()),
            wake=lambda entry: self.woken.append(entry.owner.uid),
            settle_seconds=settle_seconds,
        )

    async def ask(self, namespace: str, revision: str) -> Mapping[str, int]:
        self.asked.append((namespace, revision))
        return self.found


async def ended(measured: measuring.Measurements) -> None:
    """Wait for what is planned."""
    async with asyncio.timeout(5):
        await asyncio.gather(*measured._waiting.values(), return_exceptions=True)
    assert not measured._waiting


async def test_the_largest_of_the_revisions_own_pods_is_remembered_and_told_once() -> None:
    bench = Bench(found={"a": 5, "b": 7, "somebody's": 900})
    measured = bench.build()
    for found, peak, woken in (({"a": 5, "b": 7, "x": 900}, 7, 1), ({"a": 6}, 7, 1), ({"b": 8}, 8, 2)):
        bench.found = found
        measured.test_ended(ENTRY, "digits-1")
        await ended(measured)
        assert measured.of("u") == {"digits-1": peak}
        assert len(bench.woken) == woken
    assert bench.asked == [("vision", "digits-1")] * 3


async def test_many_tests_in_a_row_are_one_measurement_and_the_bakes_end_is_another() -> None:
    bench = Bench()
    measured = bench.build(settle_seconds=0.05)
    for _ in range(100):
        measured.test_ended(ENTRY, "digits-1")
    measured.bake_ended(ENTRY, "digits-1")
    await asyncio.sleep(0.01)
    assert len(bench.asked) == 1
    await ended(measured)
    assert len(bench.asked) == 2
    assert (measured.of("u"), bench.woken) == ({}, [])


async def test_a_revision_without_pods_is_not_asked_about() -> None:
    bench = Bench(pods={})
    measured = bench.build()
    measured.test_ended(ENTRY, "digits-1")
    await ended(measured)
    assert bench.asked == []


async def test_nothing_is_planned_where_nobody_can_be_asked() -> None:
    measured = measuring.Measurements(ask=None, pods=lambda *_: {"a"}, wake=lambda _: None)
    measured.test_ended(ENTRY, "digits-1")
    assert not measured._waiting


async def test_what_nobody_waits_for_any_more_is_dropped() -> None:
    bench = Bench(found={"a": 5}, pods={name: frozenset({"a"}) for name in ("digits-1", "digits-2")})
    measured = bench.build()
    for name in bench.pods:
        measured.bake_ended(ENTRY, name)
        measured.bake_ended(make_entry("other"), name)
    await ended(measured)
    bench.asked.clear()
    measured.bake_ended(ENTRY, "digits-1")
    measured.retain("u", {"digits-2"})
    await ended(measured)
    assert bench.asked == []
    assert measured.of("u") == {"digits-2": 5}
    measured.forget("u")
    assert measured.of("u") == {}
    assert measured.of("other") == {"digits-1": 5, "digits-2": 5}


async def test_closing_ends_what_is_planned() -> None:
    bench = Bench()
    measured = bench.build(settle_seconds=3600)
    measured.test_ended(ENTRY, "digits-1")
    await measured.close()
    assert bench.asked == []
