"""Whatever answers, a smoke test ends within its bounds, with a verdict that does not blame the model for it."""

import asyncio
import gzip
import time
import tracemalloc
from typing import Any

import pytest

from tests.adapters.serving import hostile
from tests.support import smoketests
from tfserving_operator.adapters import serving
from tfserving_operator.adapters.serving import client
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans

LIMITS = client.Limits(
    response_bytes=1024 * 1024,
    connect_seconds=0.5,
    opening_seconds=1.0,
    request_seconds=1.0,
    settle_seconds=2.0,
    settle_pause_seconds=0.1,
)
GIVEN = cases.resolve([{"name": f"c{i}", "instances": [[float(i), 2.0 * i]]} for i in range(4)])
GOOD = hostile.answer({"predictions": [[1.0, 2.0]]})
PATH = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


async def smoke(address: str, resolved: cases.ResolvedCases = GIVEN, **changed: Any) -> plans.TestOutcome:
    target = plans.Target(pod="digits-1-a", address=address)
    request = smoketests.request(**({"targets": (target,), "timeout_seconds": 5.0} | changed))
    async with client.open_session() as session:
        return await serving.run_test(session, request, resolved, smoketests.clock, LIMITS)


NOT_THE_MODELS = {
    "an endless body": (
        hostile.endless(b'{"predictions": [', b"1.0," * 16384, 0),
        "the answer is longer than 1048576 bytes",
    ),
    "a slow drip": (hostile.endless(b'{"predictions": [', b" ", 0.05), "no whole answer within 1 s"),
    "no answer at all": (hostile.silent(), "no whole answer within 1 s"),
    "a connection closed at once": (hostile.raw(b""), "the connection ended before the answer did"),
    "a body cut off": (
        hostile.raw(PATH.format(1000).encode() + b'{"predictions"'),
        "the connection ended before",
    ),
    "what is no HTTP": (hostile.raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "HTTP"),
    "endless headers": (hostile.raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), "no HTTP"),
    "a redirect": (
        hostile.answer({}, "302 Found", "Location: http://169.254.169.254/latest\r\n"),
        "HTTP 302, a redirect to http://169.254.169.254/latest, is not followed",
    ),
    "deep nesting": (hostile.answer(b'{"predictions":' + b"[" * 400_000), "no JSON of TensorFlow Serving's"),
    "deep objects": (hostile.answer(b'{"outputs":' + b'{"a":' * 100_000), "no JSON of TensorFlow Serving's"),
    "a web page": (hostile.answer(b"<html>Welcome</html>", headers="Content-Type: text/html\r\n"), "<html>"),
    "another API's JSON": (hostile.answer({"hello": "world"}), "neither predictions nor outputs"),
    "an error in a 200": (hostile.answer({"error": "no"}), "neither predictions nor outputs"),
    "a 404 of a proxy": (hostile.answer(b"not found", "404 Not Found"), "HTTP 404"),
    "a 503 of a mesh": (hostile.answer({"error": "upstream connect error"}, "503 Unavailable"), "HTTP 503"),
    "a full queue": (hostile.answer({"error": "The batch scheduling queue is full"}, "429 X"), "HTTP 429"),
    "rows of different shapes": (
        hostile.answer({"predictions": [[1.0], [1.0, 2.0]]}),
        "rows differ in shape",
    ),
    "objects in an output": (hostile.answer({"predictions": [[{"a": 1}]]}), "an object within an output"),
    "null": (hostile.answer({"predictions": [[None, 1.0]]}), "neither numbers nor strings"),
    "a number for outputs as long as a novel": (
        hostile.answer(b'{"predictions": [' + b"9" * 5000 + b"]}"),
        "HTTP 200",
    ),
    "zipped bytes": (
        hostile.answer(gzip.compress(b" " * 50_000_000), headers="Content-Encoding: gzip\r\n"),
        "no JSON of TensorFlow Serving's",
    ),
    "bytes that are no text": (hostile.answer(b"\xff\xfe" * 100), "no JSON of TensorFlow Serving's"),
}


@pytest.mark.parametrize("kind", NOT_THE_MODELS)
async def test_what_is_not_the_models_fault_is_no_verdict(kind: str):
    handler, message = NOT_THE_MODELS[kind]
    started = time.monotonic()

    async with hostile.endpoint(handler) as address:
        outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason) == (None, "TestCannotRun"), outcome
    assert message in outcome.message or "predictions were answered" in outcome.message
    assert time.monotonic() - started < 8
    assert len(outcome.message) < 1000


VALUES = [hostile.answer({"predictions": [[float(i), 1.0]]}) for i in range(4)]


@pytest.mark.parametrize("kind", NOT_THE_MODELS)
async def test_an_endpoint_that_misbehaves_after_its_cases_fails_no_model_and_costs_no_more(kind: str):
    handler, _ = NOT_THE_MODELS[kind]
    started = time.monotonic()

    async with hostile.endpoint(hostile.in_turn(*VALUES, handler)) as address:
        outcome = await smoke(address, load_requests=8)

    assert outcome.verdict in (None, reasons.Verdict.Pass), outcome
    assert time.monotonic() - started < 8


async def test_numbers_that_are_none_are_the_models_own():
    bodies = [b'{"predictions": [[NaN, 1.0]]}', b'{"predictions": [[Infinity, -Infinity]]}']
    for body in bodies:
        async with hostile.endpoint(hostile.answer(body)) as address:
            outcome = await smoke(address)
        assert (outcome.verdict, outcome.reason) == (reasons.Verdict.Fail, "NonFiniteOutputs"), outcome


async def test_a_right_answer_under_a_wrong_content_type_is_an_answer():
    good = [
        hostile.answer({"predictions": [[float(i), 1.0]]}, headers="Content-Type: text/html\r\n")
        for i in range(4)
    ]
    async with hostile.endpoint(hostile.in_turn(*good)) as address:
        outcome = await smoke(address, purpose=plans.TestPurpose.Repeat)

    assert outcome.verdict is reasons.Verdict.Pass, outcome


TENSORS = {f"t{i}": hostile.TENSOR for i in range(5000)}
METADATA = {
    "deep": b'{"model_spec":' + b"[" * 400_000,
    "endless": b'{"a": "' + b"x" * 5_000_000 + b'"}',
    "of too many tensors": {
        **hostile.METADATA,
        "metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": TENSORS}}}},
    },
    "of a shape that is none": {
        **hostile.METADATA,
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "many"}]}}}
                    }
                }
            }
        },
    },
    "a list": [],
}


@pytest.mark.parametrize("kind", METADATA)
async def test_metadata_that_cannot_be_read_leaves_the_answers_to_be_judged(kind: str):
    metadata = hostile.answer(METADATA[kind])
    async with hostile.endpoint(hostile.in_turn(*VALUES), metadata=metadata) as address:
        given = await smoke(address, purpose=plans.TestPurpose.Repeat)
        made = await smoke(address, cases.MADE)

    assert given.verdict is reasons.Verdict.Pass, given
    assert made.verdict is reasons.Verdict.Inconclusive, made


@pytest.mark.parametrize("size", [10**6, 10**12, -5])
async def test_a_signature_of_absurd_shapes_makes_no_inputs(size: int):
    tensor = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": str(size)}] * 2}}
    served = {"serving_default": {**hostile.SIGNATURE, "inputs": {"x": tensor}}}
    metadata = hostile.answer({**hostile.METADATA, "metadata": {"signature_def": {"signature_def": served}}})
    async with hostile.endpoint(hostile.in_turn(*VALUES), metadata=metadata) as address:
        outcome = await smoke(address, cases.MADE)

    assert outcome.verdict in (None, reasons.Verdict.Inconclusive, reasons.Verdict.Pass), outcome


async def test_a_hostile_answer_costs_bounded_memory():
    tracemalloc.start()
    try:
        async with hostile.endpoint(hostile.endless(b"", b"x" * 65536, 0)) as address:
            await smoke(address)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 20 * LIMITS.response_bytes


async def test_a_refused_connection_is_an_unreachable_pod():
    async with hostile.endpoint(GOOD) as address:
        pass

    outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason) == (None, "PodUnreachable"), outcome
    assert "digits-1-a" in outcome.message


async def test_a_pod_that_takes_connections_and_never_answers_is_unreachable():
    async with hostile.endpoint(GOOD, status=hostile.silent()) as address:
        outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason) == (None, "PodUnreachable"), outcome


async def test_the_whole_test_ends_with_its_time():
    async with hostile.endpoint(hostile.in_turn(GOOD, hostile.silent())) as address:
        outcome = await smoke(address, timeout_seconds=0.5)

    assert (outcome.verdict, outcome.reason) == (None, "TestCannotRun")
    assert outcome.message == "after 0.5 s, 1 of 4 predictions were answered"


async def test_a_cancelled_test_is_cancelled():
    async with hostile.endpoint(hostile.silent()) as address:
        task = asyncio.create_task(smoke(address))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_allocators_message_is_out_of_memory():
    text = (
        "OOM when allocating tensor with shape[80000,80000] and type float on"
        " /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"
    )
    async with hostile.endpoint(hostile.answer({"error": text}, "429 Too Many Requests")) as address:
        outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason, outcome.out_of_memory) == (
        reasons.Verdict.Fail,
        "OOMKilled",
        True,
    )


async def test_out_of_memory_under_load_only_is_found():
    values = [hostile.answer({"predictions": [[float(i), 1.0]]}) for i in range(4)]
    failing = hostile.answer({"error": "OOM when allocating tensor with shape[1]"}, "429 Too Many Requests")
    async with hostile.endpoint(hostile.in_turn(*values, GOOD, failing)) as address:
        outcome = await smoke(address, load_requests=10, load_concurrency=2)

    assert (outcome.verdict, outcome.reason, outcome.out_of_memory) == (
        reasons.Verdict.Fail,
        "OOMKilled",
        True,
    )


async def test_a_pod_that_ends_under_load_is_left_to_its_status():
    values = [hostile.answer({"predictions": [[float(i), 1.0]]}) for i in range(4)]
    async with hostile.endpoint(hostile.in_turn(*values, hostile.raw(b""))) as address:
        outcome = await smoke(address, load_requests=10)

    assert (outcome.verdict, outcome.reason, outcome.out_of_memory) == (None, "TestCannotRun", False)
    assert "under load" in outcome.message


async def test_a_full_queue_under_load_says_nothing_of_the_model():
    values = [hostile.answer({"predictions": [[float(i), 1.0]]}) for i in range(4)]
    full = hostile.answer(
        {"error": "The batch scheduling queue to which this task was submitted is full"}, "429 X"
    )
    async with hostile.endpoint(hostile.in_turn(*values, full)) as address:
        outcome = await smoke(address, load_requests=10)

    assert outcome.verdict is reasons.Verdict.Pass


async def test_not_a_number_in_bare_tokens_is_read():
    body = b'{"predictions": [[NaN, -Infinity]]}'
    async with hostile.endpoint(hostile.answer(body)) as address:
        outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason) == (reasons.Verdict.Fail, "NonFiniteOutputs")
    assert "1 NaN and 1 Infinity among 2 values" in outcome.message


async def test_in_the_bake_the_service_may_lead_to_old_pods_for_a_moment():
    elsewhere = hostile.answer(
        {"error": "Servable not found for request: Specific(digits, 1)"}, "404 Not Found"
    )
    old = hostile.answer({"error": "Could not find version 1 of model digits"}, "404 Not Found")
    values = [hostile.answer({"predictions": [[float(i), 1.0]]}) for i in range(4)]

    async with hostile.endpoint(
        hostile.in_turn(elsewhere, elsewhere, *values),
        status=hostile.in_turn(old, old, hostile.answer(hostile.STATUS)),
    ) as address:
        outcome = await smoke(address, purpose=plans.TestPurpose.Bake)

    assert outcome.verdict is reasons.Verdict.Pass, outcome


async def test_a_version_that_stays_away_in_the_bake_is_lost():
    elsewhere = hostile.answer(
        {"error": "Servable not found for request: Specific(digits, 1)"}, "404 Not Found"
    )

    async with hostile.endpoint(elsewhere) as address:
        outcome = await smoke(address, purpose=plans.TestPurpose.Bake)

    assert (outcome.verdict, outcome.reason) == (reasons.Verdict.Fail, "ServedVersionLost")


async def test_the_event_loop_goes_on_while_large_answers_are_read():
    large = hostile.answer(b'{"outputs": [' + b",".join(b"%d.25" % i for i in range(100_000)) + b"]}")
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)

    async with hostile.endpoint(large) as address:
        watcher = asyncio.create_task(watch())
        await smoke(address)
        watcher.cancel()

    assert longest < 0.5  # generous: the machine is shared
