"""What a smoke test costs the operator: its event loop is never held for long, its memory is bounded.

Time is that of the process's own CPU, so that a busy machine changes nothing: while one thread holds the interpreter
for some ms, the process uses that many.
"""

import asyncio
import base64
import contextlib
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.adapters.serving import hostile
from tests.support import smoketests
from tfserving_operator.adapters import answerreader, serving
from tfserving_operator.adapters.serving import budgets, client, workers
from tfserving_operator.core.smoke import answers, cases, plans

HELD_SECONDS = 0.050
OVERHEAD_SECONDS = 10.0
MORE_BYTES = 200 * 2**20


@contextlib.asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    gaps: list[float] = []

    async def beat() -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.process_time()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(beat())
    await asyncio.sleep(0.05)
    gaps.clear()
    try:
        yield gaps
    finally:
        task.cancel()


def memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024


def forget_highest() -> None:
    """The highest memory counts from here."""
    Path("/proc/self/clear_refs").write_text("5")


def is_gone(process_id: int | None) -> bool:
    status = Path(f"/proc/{process_id}/status")
    return not status.exists() or "Z (zombie)" in status.read_text()


def picture(seed: int) -> str:
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    target = io.BytesIO()
    PIL.Image.fromarray(pixels).resize((224, 224)).save(target, format="JPEG")
    return base64.b64encode(target.getvalue()).decode()


PICTURES: list[dict[str, Any]] = [
    {"name": f"cat-{i}", "images": [{"b64": picture(i), "decode": {"dtype": "float32"}}]} for i in range(16)
]


async def smoke(
    address: str, model: str, given: list[dict[str, Any]], shop: workers.Workers
) -> plans.TestOutcome:
    target = plans.Target(pod="digits-1-a", address=address)
    request = smoketests.request(model_name=model, targets=(target,), load_requests=16, timeout_seconds=300.0)
    async with client.open_session() as session:
        return await serving.run_test(session, request, cases.resolve(given), smoketests.clock, shop=shop)


@pytest.mark.parametrize("given", [PICTURES, []], ids=["sixteen pictures", "made inputs"])
async def test_images_cost_little_time_and_memory_and_never_hold_the_loop(model_server, given):
    forget_highest()
    before = memory("VmRSS")
    started = time.process_time()
    async with workers.open_workers() as shop, heartbeat() as gaps:
        outcome = await smoke(f"127.0.0.1:{model_server.port}", "image", given, shop)

    assert outcome.verdict == "Pass", outcome
    assert max(gaps) < HELD_SECONDS
    assert time.process_time() - started < OVERHEAD_SECONDS
    assert memory("VmHWM") - before < MORE_BYTES


def answer_of(count: int) -> bytes:
    rows = ",".join(f"{value:.7f}" for value in np.random.default_rng(1).random(count))
    return f'{{"predictions": [[{rows}]]}}'.encode()


async def test_maps_of_a_million_values_are_read_in_a_process_of_their_own():
    bodies = [hostile.answer(answer_of(1_000_000)[:-3] + f", {i}.5]]}}".encode()) for i in range(4)]
    given = [{"name": f"c{i}", "instances": [[float(i), 1.0]]} for i in range(4)]
    async with (
        workers.open_workers() as shop,
        hostile.endpoint(hostile.in_turn(*bodies)) as address,
    ):
        request = smoketests.request(
            targets=(plans.Target(pod="p", address=address),),
            timeout_seconds=120.0,
            purpose=plans.TestPurpose.Repeat,
        )
        async with client.open_session() as session, heartbeat() as gaps:
            outcome = await serving.run_test(
                session, request, cases.resolve(given), smoketests.clock, shop=shop
            )
        assert outcome.recorded["pods"]["p"]["answered"] == "4 of 4", outcome
        assert shop.process_id is not None
        assert max(gaps) < HELD_SECONDS
        assert shop.kept.left == shop.kept.total
        assert shop.received.left == shop.received.total


async def test_a_body_that_takes_too_much_memory_ends_no_more_than_its_own_reading():
    hungry = b'{"predictions": [' + b"[]," * 10_000_000 + b"[]]}"
    async with workers.open_workers() as shop:
        found = await shop.read(200, hungry)
        again = await shop.read(200, b'{"predictions": [[1.0]]}')

    assert found.trouble in (answers.Trouble.TooLarge, answers.Trouble.Foreign)
    assert again.succeeded


async def test_a_reader_that_dies_is_started_again():
    async with workers.open_workers() as shop:
        assert (await shop.read(200, b'{"predictions": [[1.0]]}')).succeeded
        first = shop.process_id
        reading = asyncio.create_task(shop.read(200, answer_of(1_000_000)))
        await asyncio.sleep(0.05)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        assert (await shop.read(200, b'{"predictions": [[1.0]]}')).succeeded
        assert shop.process_id != first


async def test_a_reader_that_nobody_needs_ends(monkeypatch):
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.1)
    async with workers.open_workers() as shop:
        await shop.read(200, b'{"predictions": [[1.0]]}')
        for _ in range(200):
            if is_gone(shop.process_id):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("it still runs")
        assert (await shop.read(200, b'{"predictions": [[1.0]]}')).succeeded


def test_the_reader_answers_frame_by_frame():
    body = b'{"error": "no"}'
    requests = io.BytesIO(answerreader.REQUEST.pack(400, len(body)) + body)
    responses = io.BytesIO()

    answerreader.serve(requests, responses)

    (length,) = answerreader.RESPONSE.unpack(responses.getvalue()[: answerreader.RESPONSE.size])
    assert length == len(responses.getvalue()) - answerreader.RESPONSE.size


async def test_what_all_tests_hold_together_is_bounded_and_given_back():
    shop = workers.Workers()
    shop.kept = budgets.Budget(1000)
    large = hostile.answer(answer_of(2000))
    async with hostile.endpoint(large) as address:
        request = smoketests.request(targets=(plans.Target(pod="p", address=address),))
        given = cases.resolve([{"name": "a", "instances": [[1.0]]}])
        async with client.open_session() as session:
            outcome = await serving.run_test(session, request, given, smoketests.clock, shop=shop)

    assert (outcome.verdict, outcome.reason) == (None, "TestCannotRun")
    assert "too large together; it is tried again" in outcome.message
    assert shop.kept.left == 1000
    await shop.close()


def test_a_budget_gives_no_more_than_it_has():
    budget = budgets.Budget(10)
    first, second = budgets.Lease(budget), budgets.Lease(budget)

    assert first.grow(6)
    assert not second.grow(5)
    assert second.grow(4)
    first.end()
    first.end()
    assert budget.left == 6
