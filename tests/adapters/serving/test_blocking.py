"""The command line's endpoint keeps the same bounds as the operator's, and says the same of the same answers."""

import time

import pytest

from tests.adapters.serving import hostile
from tests.adapters.serving.test_hostile_endpoints import GIVEN, GOOD, LIMITS, NOT_THE_MODELS
from tests.support import smoketests
from tfserving_operator.adapters.serving import blocking, runner, workers
from tfserving_operator.core.smoke import plans

OTHER_WORDS = {"what is no HTTP": "BadStatusLine", "endless headers": "", "zipped bytes": ""}
"""Where the library has its own words for what is no answer."""


async def smoke(address: str) -> plans.TestOutcome:
    url = f"http://{address}"
    request = smoketests.request(targets=(plans.Target(pod=url, address=url),), timeout_seconds=8.0)
    async with workers.open_workers() as shop:

        def connect(target: plans.Target, *, model: str, version: int) -> blocking.BlockingEndpoint:
            return blocking.BlockingEndpoint(
                url=target.address, model=model, version=version, limits=LIMITS, received=shop.received
            )

        return await runner.run_with(connect, request, GIVEN, smoketests.clock, shop=shop)


@pytest.mark.parametrize("kind", NOT_THE_MODELS)
async def test_what_is_not_the_models_fault_is_no_verdict(kind: str):
    handler, message = NOT_THE_MODELS[kind]
    started = time.monotonic()

    async with hostile.endpoint(handler) as address:
        outcome = await smoke(address)

    assert outcome.verdict is None, outcome
    assert outcome.reason in ("TestCannotRun", "PodUnreachable")
    said = OTHER_WORDS.get(kind, message)
    assert said in outcome.message or "predictions were answered" in outcome.message
    assert time.monotonic() - started < 12
    assert len(outcome.message) < 1000


async def test_a_refused_connection_is_an_unreachable_server():
    async with hostile.endpoint(GOOD) as address:
        pass

    outcome = await smoke(address)

    assert (outcome.verdict, outcome.reason) == (None, "PodUnreachable"), outcome


async def test_a_path_before_the_api_is_kept():
    seen: list[str] = []

    async def predict(path, reader, writer):
        seen.append(path)
        await GOOD(path, reader, writer)

    async with hostile.endpoint(predict) as address:
        await smoke(f"{address}/team-a/")

    assert seen[0] == "/team-a/v1/models/digits/versions/1:predict"
