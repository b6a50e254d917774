"""Models that take strings, served: with what the inspector saw, inputs are made for them; without, none can be."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.local.modelserver import servers
from tests.support import smoketests
from tfserving_operator.adapters import serving
from tfserving_operator.adapters.serving import client
from tfserving_operator.core.smoke import cases, plans
from tfserving_operator.inspector import command

MODELS = ["vocabulary_file", "v1_vocabulary", "text", "parsed", "encoded_image"]


@pytest.fixture(scope="module")
def model_server(graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("serving")
    flag = servers.config_file(folder, *(servers.model(name, graphs / name) for name in MODELS))
    with servers.running(folder, flag, "--rest_api_num_threads=8") as process:
        yield process


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with client.open_session() as opened:
        yield opened


@pytest.mark.parametrize("model", MODELS)
async def test_strings_are_made_where_the_inspector_saw_which(session, model_server, graphs, model):
    target = plans.Target(pod="digits-1-a", address=f"127.0.0.1:{model_server.port}")
    request = smoketests.request(
        model_name=model, targets=(target,), inspection=command.inspect(graphs / model, 1)
    )

    outcome = await serving.run_test(session, request, cases.MADE, smoketests.clock)

    assert (outcome.verdict, outcome.reason) == ("Pass", "Passed"), outcome
    assert outcome.message.startswith("12 made inputs on 1 pod: 12 of 12 answered")


async def test_without_the_inspector_strings_are_inconclusive_with_what_to_add(session, model_server):
    target = plans.Target(pod="digits-1-a", address=f"127.0.0.1:{model_server.port}")
    request = smoketests.request(model_name="text", targets=(target,))

    outcome = await serving.run_test(session, request, cases.MADE, smoketests.clock)

    assert outcome.verdict == "Inconclusive"
    assert 'add smoke.cases, such as [{name: a, inputs: {text: ["…"]}}]' in outcome.message
