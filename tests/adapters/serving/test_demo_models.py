"""The verdicts that the demo shows, on its own models, behind the real C++ runtime."""

import time
from pathlib import Path

import pytest
import requests

from local.demo import manifests, models
from local.progress import Progress
from tests.local.modelserver import servers
from tests.support import smoketests
from tfserving_operator.adapters import serving
from tfserving_operator.adapters.serving import client
from tfserving_operator.api import reasons
from tfserving_operator.core.smoke import cases, plans

Pass, Fail = reasons.Verdict.Pass, reasons.Verdict.Fail


@pytest.fixture(scope="module")
def known() -> models.Models:
    return models.ensure(Progress(name="tests"))


@pytest.fixture(scope="module")
def server(known: models.Models, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("demo")
    policy = (
        f"model_version_policy {{ specific {{ {' '.join(f'versions: {v}' for v in models.VERSIONS)} }} }}"
    )
    flag = servers.config_file(folder, servers.model(models.MODEL, Path(known.folder) / models.MODEL, policy))
    with servers.running(folder, flag, "--rest_api_num_threads=8") as process:
        for version in models.VERSIONS:  # the server is up with the first one
            wait_for(process, version)
        yield process


def wait_for(server: servers.Server, version: int) -> None:
    url = f"http://127.0.0.1:{server.port}/v1/models/{models.MODEL}/versions/{version}/metadata"
    until = time.monotonic() + 120
    while requests.get(url, timeout=10).status_code != 200:
        assert time.monotonic() < until, f"version {version} is not served"
        time.sleep(0.1)


async def smoke(server: servers.Server, version: int, given: list[dict[str, object]]) -> plans.TestOutcome:
    address = f"127.0.0.1:{server.port}"
    request = smoketests.request(
        model_name=models.MODEL,
        version=version,
        targets=(plans.Target(pod=f"digits-{version}", address=address),),
        control=plans.Target(pod="digits-1", address=address) if version != 1 else None,
        control_version=1 if version != 1 else None,
        load_requests=16,
        timeout_seconds=60.0,
    )
    async with client.open_session() as session:
        return await serving.run_test(session, request, cases.resolve(given), smoketests.clock)


@pytest.mark.parametrize(
    ("version", "verdict", "reason", "cause"),
    [
        (1, Pass, "Passed", ""),
        (2, Fail, "IdenticalOutputs", "ConstantOutput"),
        (3, Fail, "GoldenMismatch", "UnscaledInput"),
        (5, Pass, "Passed", ""),
        (6, Pass, "Passed", ""),
    ],
)
async def test_each_version_gets_its_verdict(server, known, version, verdict, reason, cause):
    given = manifests.smoke_cases(known, goldens_of=6 if version == 6 else 1)

    outcome = await smoke(server, version, given)

    assert (outcome.verdict, outcome.reason, outcome.cause) == (verdict, reason, cause), outcome


@pytest.mark.parametrize(("version", "expected"), [(1, Pass), (2, Fail), (5, Pass), (6, Pass)])
async def test_without_cases_the_constant_version_is_found_all_the_same(server, version, expected):
    outcome = await smoke(server, version, [])

    assert outcome.verdict is expected, outcome
