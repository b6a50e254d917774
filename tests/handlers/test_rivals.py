"""Two operators and one Lease: who was stopped, for however long, writes nothing once another one leads."""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support import control_plane, processes, rivals

pytestmark = pytest.mark.cluster

STOPS = int(os.environ.get("SIGSTOPS", "3"))
SEED = int(os.environ.get("SIGSTOPS_SEED", "20260101"))
OTHER = {"one": "two", "two": "one"}
MODELS = ["digits", "letters", "faces", "voices"]


@pytest.fixture(scope="module")
def killed(
    api: control_plane.ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[rivals.Rivals, float]]:
    """Two operators with the default Lease, of which the leader was killed; and when (Unix seconds)."""
    with api.fresh_namespace() as namespace:
        running = processes.Operators(api=api, namespace=namespace, folder=tmp_path_factory.mktemp("killed"))
        pair = rivals.Rivals(running, lease_seconds=15)
        try:
            pair.start("one")
            processes.wait_for(lambda: pair.holder() == "one")
            pair.start("two")
            moment = time.time()
            pair.alive["one"].kill()
            running.create_model()
            yield pair, moment
        finally:
            running.kill_all()


def stop_for_a_while(pair: rivals.Rivals, chance: random.Random) -> None:
    """Stop the leader at some moment, and let it go on while the other one leads and writes."""
    old = pair.holder()
    if old not in OTHER:  # given back, and not taken yet
        pair.wait_for(lambda: pair.holder() in OTHER)
        old = pair.holder()
    before = pair.count(old)
    pair.wait_for(lambda: pair.count(old) > before or pair.holder() != old)  # it is at work
    time.sleep(chance.uniform(0.0, 1.0))
    new, victim = OTHER[old], pair.alive[old].process
    victim.send_signal(signal.SIGSTOP)
    try:
        pair.wait_for(lambda: pair.holder() == new)
        before = pair.count(new)
        pair.wait_for(lambda: pair.count(new) > before)
        time.sleep(chance.uniform(0.0, 0.5))
    finally:
        victim.send_signal(signal.SIGCONT)
    assert victim.wait(timeout=60) == 1


def test_a_leader_that_was_stopped_writes_nothing_while_another_one_leads(
    api: control_plane.ControlPlane,
    running: processes.Operators,
    killed: tuple[rivals.Rivals, float],
) -> None:
    chance = random.Random(SEED)
    pair = rivals.Rivals(running, lease_seconds=5)
    for name in MODELS:
        running.create_model(name)
    pair.start("one")
    pair.start("two")
    pair.wait_for(lambda: pair.holder() in OTHER)
    with rivals.churn(api, running, MODELS):
        for _ in range(STOPS):
            stop_for_a_while(pair, chance)
    found = pair.writes()
    changes = rivals.terms(found)
    counts = {user: sum(w.user == user and w.resource != "leases" for w in found) for user in OTHER}
    print(f"seed {SEED}: {STOPS} stops, {len(changes)} terms, writes {counts}")
    assert len(changes) > STOPS
    assert all(counts.values())
    assert rivals.stale(found, OTHER) == []


def test_a_leader_that_was_killed_is_followed_within_20_seconds(
    killed: tuple[rivals.Rivals, float],
) -> None:
    pair, moment = killed
    processes.wait_for(lambda: pair.holder() == "two")
    processes.wait_for(lambda: pair.count("two"))
    taken = next(term.done for term in rivals.terms(pair.writes()) if term.holder == "two")
    print(f"taken over {taken - moment:.1f} s after the kill")
    assert taken - moment < 20


def test_a_leader_that_stops_in_order_is_followed_at_once(killed: tuple[rivals.Rivals, float]) -> None:
    pair, _ = killed
    processes.wait_for(lambda: pair.holder() == "two")
    pair.start("one")
    assert pair.alive["two"].stop() == 0
    processes.wait_for(lambda: pair.holder() == "one", seconds=10)
    *_, returned, taken = rivals.terms(pair.writes())
    assert (returned.holder, taken.holder) == ("", "one")
    print(f"taken over {taken.done - returned.done:.1f} s after the return")
    assert taken.done - returned.done < 5


def _write(user: str, received: float, *, holder: str = "") -> rivals.Write:
    resource = "leases" if holder else "services"
    return rivals.Write(
        user=user, resource=resource, namespace="n", received=received, done=received + 0.1, holder=holder
    )


def test_a_write_after_anothers_lease_would_be_noticed() -> None:
    leases = [_write("one", 0, holder="one"), _write("two", 9, holder="two"), _write("two", 12, holder="two")]
    early, late, allowed = _write("one", 5), _write("one", 10), _write("two", 11)
    found = sorted([*leases, early, late, allowed], key=lambda write: write.done)
    assert [term.holder for term in rivals.terms(found)] == ["one", "two"]
    assert rivals.stale(found, OTHER) == [late]
