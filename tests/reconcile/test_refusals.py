from dataclasses import replace

from tests.support.manual_clock import ManualClock
from tfserving_operator.core import snapshot
from tfserving_operator.reconcile import refusals

OWNER = snapshot.Owner(name="digits", namespace="n", uid="u", generation=1)
QUOTA = snapshot.Refusal(kind="Deployment", name="d", code=403, message="quota", name_taken=False)


def test_a_refusal_is_remembered_for_its_generation_and_a_while() -> None:
    clock = ManualClock()
    refused = refusals.Refusals(clock)
    assert refused.next_end_seconds(OWNER) is None
    refused.record(OWNER, QUOTA)
    assert refused.of(OWNER) == (QUOTA,)
    assert refused.of(replace(OWNER, uid="other")) == ()
    clock.seconds += 20
    assert refused.next_end_seconds(OWNER) == refusals.MEMORY_SECONDS - 20
    clock.seconds += refusals.MEMORY_SECONDS
    assert refused.of(OWNER) == ()
    assert refused.next_end_seconds(OWNER) is None


def test_a_new_spec_is_tried_at_once() -> None:
    refused = refusals.Refusals(ManualClock())
    refused.record(OWNER, QUOTA)
    assert refused.of(replace(OWNER, generation=2)) == ()


def test_the_newest_word_about_an_object_counts() -> None:
    refused = refusals.Refusals(ManualClock())
    refused.record(OWNER, QUOTA)
    newer = replace(QUOTA, message="another quota")
    refused.record(OWNER, newer)
    assert refused.of(OWNER) == (newer,)
    refused.forget("u")
    assert refused.of(OWNER) == ()
