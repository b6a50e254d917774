import asyncio
import random

import pytest

from tfserving_operator.adapters import clock as clocks
from tfserving_operator.reconcile import queue

A, B, C = (queue.Key("n", name) for name in "abc")


@pytest.fixture
def work() -> queue.WorkQueue:
    return queue.WorkQueue(clock=clocks.SystemClock(), chance=random.Random(1))


async def take_all(work: queue.WorkQueue) -> list[queue.Key]:
    taken = []
    while len(work):
        key = await work.get()
        work.done(key)
        taken.append(key)
    return taken


async def test_a_key_that_waits_is_there_once(work: queue.WorkQueue) -> None:
    for key in (A, B, A, A):
        work.add(key)
    assert await take_all(work) == [A, B]


async def test_urgent_keys_go_first_and_others_in_their_order(work: queue.WorkQueue) -> None:
    work.add(A, queue.Urgency.Later)
    work.add(B)
    work.add(C, queue.Urgency.Now)
    assert await take_all(work) == [C, B, A]


async def test_a_key_that_becomes_urgent_moves_ahead_and_comes_once(work: queue.WorkQueue) -> None:
    work.add(A)
    work.add(B)
    work.add(B, queue.Urgency.Now)
    work.add(B, queue.Urgency.Soon)
    assert await take_all(work) == [B, A]


async def test_a_key_is_never_with_two_workers_and_comes_again_when_it_was_added_meanwhile(
    work: queue.WorkQueue,
) -> None:
    work.add(A)
    assert await work.get() == A
    work.add(A)
    work.add(A, queue.Urgency.Now)
    assert len(work) == 0
    work.done(A)
    assert await take_all(work) == [A]


async def test_waiting_workers_get_keys_as_they_come(work: queue.WorkQueue) -> None:
    waiting = [asyncio.create_task(work.get()) for _ in range(2)]
    await asyncio.sleep(0)
    work.add(A)
    work.add(B)
    assert {await task for task in waiting} == {A, B}


async def test_of_several_times_the_earliest_counts(work: queue.WorkQueue) -> None:
    work.add_after(A, 0.02)
    work.add_after(A, 30.0)
    work.add_after(B, 30.0)
    work.add_after(B, 0.01)
    async with asyncio.timeout(5):
        assert {await work.get(), await work.get()} == {A, B}


async def test_taking_a_key_drops_its_later_time(work: queue.WorkQueue) -> None:
    work.add_after(A, 0.01)
    work.add(A)
    work.done(await work.get())
    await asyncio.sleep(0.05)
    assert len(work) == 0


async def test_failures_in_a_row_wait_longer_up_to_a_cap_and_success_forgets_them(
    work: queue.WorkQueue,
) -> None:
    waits = [work.retry(A) for _ in range(12)]
    for failures, wait in enumerate(waits, start=1):
        ceiling = min(queue.BACKOFF_CAP_SECONDS, queue.BACKOFF_BASE_SECONDS * 2 ** (failures - 1))
        assert ceiling / 2 <= wait <= ceiling
    assert waits[-1] >= queue.BACKOFF_CAP_SECONDS / 2
    work.succeeded(A)
    assert work.retry(A) <= queue.BACKOFF_BASE_SECONDS
    work.close()


async def test_being_overtaken_is_retried_at_once_but_only_the_first_time(work: queue.WorkQueue) -> None:
    work.retry_at_once(A)
    assert len(work) == 1
    work.done(await work.get())
    work.retry_at_once(A)
    assert len(work) == 0
    async with asyncio.timeout(5):
        assert await work.get() == A
    work.close()


async def test_a_closed_queue_takes_and_gives_nothing_and_lets_workers_end(work: queue.WorkQueue) -> None:
    work.add(A)
    work.add(B)
    assert await work.get() == A
    work.close()
    work.add(C)
    work.add_after(C, 0.0)
    waiting = asyncio.create_task(work.get())
    idle = asyncio.create_task(work.wait_idle())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert not idle.done()
    work.done(A)
    await idle
    waiting.cancel()


async def test_the_age_is_that_of_the_key_that_waits_longest() -> None:
    class Clock(clocks.SystemClock):
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

    clock = Clock()
    work = queue.WorkQueue(clock=clock, chance=random.Random(1))
    assert work.oldest_seconds() == 0.0
    work.add(A)
    clock.seconds = 4.0
    work.add(B)
    clock.seconds = 5.0
    assert work.oldest_seconds() == 5.0
